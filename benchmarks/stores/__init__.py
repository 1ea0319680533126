"""What the stores cost beside the bare drivers: `python -m benchmarks.stores`, or `make bench-stores`."""
