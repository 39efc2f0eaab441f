"""Define the configuration of a simulator."""

from dataclasses import dataclass, field
from pathlib import Path

from l0.model.option_names import refuses_unknown_options

from .access import RateLimits
from .pacing import Delays


class SimulatorError(Exception):
    """The simulator cannot start, or does not have the requested item. The message names the cause."""


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """Settings of one simulator.

    `host`: loopback by default, since the simulator needs no key by default. `port`: 0 for a free port. `seed`:
    determines all random values (ids, delays) together with the index of a request. `traffic_dir`: a directory of
    recorded bodies, which answer the streaming requests in turn. `delays`: None for no delays. `host_names`: names
    besides `host`, `localhost` and loopback addresses that requests may have in their `Host` header; other names are
    refused with status 421. `replies`: pairs of a regular expression, searched in the last user message (empty: every
    request), and the text of the reply, as for `Simulator.on`. `api_keys`: requests with other keys are refused with
    401; empty: every request is served. `models`: other models are refused with 404; empty: every model is served.
    `context_tokens`: the size of the context, for prompt and answer together; longer requests are refused with 400.
    `rate_limits`: requests over a limit are refused with 429, and the headers of every answer report the limits. Raises
    `ValueError` for an invalid port or size, and `TypeError` for a single string in place of a tuple.
    """

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0
    delays: Delays | None = None
    traffic_dir: Path | None = None
    host_names: tuple[str, ...] = ()
    replies: tuple[tuple[str, str], ...] = ()
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    models: tuple[str, ...] = ()
    context_tokens: int | None = None
    rate_limits: RateLimits = field(default_factory=RateLimits)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: {self.port!r} given, allowed is 0 (any free port) to 65535")
        if self.context_tokens is not None and self.context_tokens < 1:
            raise ValueError(f"context_tokens: {self.context_tokens!r} given, allowed is 1 or more")
        for name in ("host_names", "api_keys", "models"):
            value = getattr(self, name)
            if isinstance(value, str):
                shown = "a string" if name == "api_keys" else repr(value)  # a key is a secret
                raise TypeError(f"{name}: {shown} given, allowed is a tuple of names")
