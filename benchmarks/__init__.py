"""Every figure in the README, by one command: `python -m benchmarks`."""
