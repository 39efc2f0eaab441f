"""A provider that breaks a share of its answers: `python -m benchmarks.breaking 0.3`, until its input is closed."""

from __future__ import annotations

import random
import sys
from typing import Any

from l0.simulator.faults import HEALTHY, Fault
from l0.simulator.ledger import Reply
from l0.simulator.pacing import Delays
from l0.simulator.server import Simulator
from l0.testing import simulator

from .soak_users import ANSWER

PACE = Delays(first_token_ms=40, inter_token_ms=25, sigma=0.3)
LAST = 60
"""The event before which a break happens at the latest."""


def fault(dice: random.Random) -> Fault:
    """Return a random fault at a random place of an answer."""
    at = dice.randrange(LAST)
    makes = (
        lambda: Fault.status(503),
        lambda: Fault.status(500),
        lambda: Fault.status(429, {"retry-after-ms": "20"}),
        lambda: Fault.refuse("fin"),
        lambda: Fault.refuse("rst"),
        Fault.empty,
        Fault.html,
        lambda: Fault.cut(at_event=at),
        lambda: Fault.clean_end(at_event=at),
        lambda: Fault.reset(at_event=at),
        lambda: Fault.malformed(at_event=at),
        lambda: Fault.in_band_error(at_event=at),
        lambda: Fault.stall(at_event=at),
    )
    return dice.choice(makes)()


def break_some(server: Simulator, share: float) -> None:
    """Break a ``share`` (0 to 1) of a server's answers from now on, unless a request has its own script."""
    dice = random.Random(0)

    def requested_reply(*_: Any) -> Reply:
        return Reply(answer=ANSWER, fault=fault(dice) if dice.random() < share else HEALTHY)

    # This replaces a private method. Fail if the simulator renames it: otherwise the soak would inject no faults.
    assert callable(getattr(server, "_requested_reply", None))
    server._requested_reply = requested_reply  # type: ignore[method-assign]


def main() -> None:
    """Serve."""
    with simulator(delays=PACE) as server:
        break_some(server, float(sys.argv[1]))
        print(server.origin, flush=True)
        for _ in sys.stdin:
            server.reset()  # the log of requests grows


if __name__ == "__main__":
    main()
