"""The simulated providers, in their own process: one as fast as it can, one at 100 tokens per second."""

from __future__ import annotations

import json
import sys

from l0.simulator.pacing import Delays
from l0.testing import simulator

from .cases import PACED_MS


def main() -> None:
    """Print the origins as JSON, and serve until the input ends."""
    paced = Delays(first_token_ms=PACED_MS, inter_token_ms=PACED_MS, sigma=0.0)
    with simulator() as fast, simulator(delays=paced) as slow:
        print(json.dumps({"burst": fast.origin, "paced": slow.origin}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
