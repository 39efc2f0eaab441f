"""The command line: a demo on a broken provider, the simulator by itself, and what is installed."""
