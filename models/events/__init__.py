"""Event cameras: recordings as arrays, the files they come in, and a simulated camera."""
