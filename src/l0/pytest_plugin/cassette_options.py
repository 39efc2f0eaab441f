"""The options of a cassette."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from l0.model.option_names import refuses_unknown_options


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class CassetteOptions:
    """The options of a cassette, from the fixture ``l0_cassette_options`` or the marker.

    ``speed``: answers are played this many times faster than they were recorded; infinite, the default, does not wait.
    ``ignore``: fields of request bodies that do not have to match, such as ``metadata.trace`` or ``messages[0]``; their
    inner fields are ignored as well. ``ignore_hosts``: hosts whose requests go to the network and are not recorded.
    ``redact``: a function for every text that is recorded or compared; it returns the text without its secrets.
    """

    speed: float = inf
    ignore: Sequence[str] = ()
    ignore_hosts: Sequence[str] = ()
    redact: Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError(f"speed={self.speed} is not a positive number")
        for name in ("ignore", "ignore_hosts"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name} takes a list of strings, not one string")
