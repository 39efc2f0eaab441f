"""The console: a line per call on stderr, its attempts as a tree, and a summary when the process ends."""
