"""slipway's own Lava processes. Import `neurons` from here only where Lava is repaired."""
