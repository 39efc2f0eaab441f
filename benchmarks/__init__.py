"""Every figure in the README and in `docs/benchmarks.md`, by one command: `python -m benchmarks`.

The simulated provider runs in its own process, and so does every variant: the bare SDK, l0 without and with
OpenTelemetry set up, and each peer in its own environment. Variants take turns within every round, so that a busy
machine is unfair to all alike. What counts is CPU time of the variant's process; a figure means something beside that
of the bare SDK in the same round only. A result holds the costs of each round; `report` makes medians and ranges of
them, for `page` and `plot`.
"""
