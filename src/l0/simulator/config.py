"""What a simulator is started with."""

from dataclasses import dataclass, field
from pathlib import Path

from l0.simulator.pacing import Delays


class SimulatorError(Exception):
    """The simulator cannot start or was asked for something it does not have; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """Settings of one simulator.

    `host`: loopback by default, because nothing here authenticates. `port`: 0 takes a free one. `seed`: everything
    random (ids, delays) follows from it and the request's index. `traffic_dir`: a folder of recorded bodies; streams
    are then answered from it in turn. `delays`: None means none.
    """

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0
    delays: Delays | None = None
    traffic_dir: Path | None = field(default=None)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: {self.port!r} given, allowed is 0 (any free port) to 65535")
