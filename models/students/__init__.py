"""One file a student: its network, one time step at a time, and its recipe."""
