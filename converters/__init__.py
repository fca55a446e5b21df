"""Any trained source -> canonical NIR, and back to files that others read."""
