"""How fast the engine is: `make bench`, which runs `python -m slipway.benchmarks`."""
