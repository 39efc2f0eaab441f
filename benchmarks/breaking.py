"""A provider that breaks a share of its answers: `python -m benchmarks.breaking 0.3`, until its input is closed."""

from __future__ import annotations

import random
import sys

from l0.simulator.faults import HEALTHY, Fault
from l0.simulator.ledger import Reply
from l0.simulator.pacing import Delays
from l0.simulator.server import Simulator
from l0.testing import simulator

from .soak_users import ANSWER

PACE = Delays(first_token_ms=40, inter_token_ms=25, sigma=0.3)
EVENTS = 60
"""A break happens before one of this many first events of an answer."""


def fault(dice: random.Random) -> Fault:
    """Return a random fault, at a random event of the answer if it happens inside the answer."""
    at = dice.randrange(EVENTS)
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


def break_some(server: Simulator, share: float, dice: random.Random) -> None:
    """Break a ``share`` (0 to 1) of a server's answers until it is reset, unless a request has its own script."""
    server.on(reply=lambda _: Reply(answer=ANSWER, fault=fault(dice) if dice.random() < share else HEALTHY))


def main() -> None:
    """Print the origin, and serve until the input ends. Each line of the input resets the log of requests."""
    share, dice = float(sys.argv[1]), random.Random(0)
    with simulator(delays=PACE) as server:
        break_some(server, share, dice)
        print(server.origin, flush=True)
        for _ in sys.stdin:
            server.reset()  # so that the log of requests does not grow
            break_some(server, share, dice)


if __name__ == "__main__":
    main()
