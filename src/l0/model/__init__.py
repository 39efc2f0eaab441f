"""Define the values and protocols that all packages share. Standard library only; no I/O."""
