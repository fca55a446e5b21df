"""Networks that teach: as large as the papers make them, and never deployed."""
