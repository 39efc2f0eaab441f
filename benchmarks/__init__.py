"""`python -m benchmarks` measures every figure in the README and in `docs/benchmarks.md`.

The simulated provider runs in its own process, and so does every variant: the bare SDK, l0 without and with
OpenTelemetry set up, and each peer in its own environment. Variants take turns within every round, so that a busy
machine is unfair to all alike. The cost is the CPU time of the variant's process; it means something only relative to
that of the bare SDK in the same round. A result has the costs of each round; `report` computes their medians and
ranges, for `page` and `plot`.
"""
