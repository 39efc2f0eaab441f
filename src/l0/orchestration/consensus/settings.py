"""Settings of a consensus: presets and their validation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, get_args

from l0.model.option_names import refuses_unknown_options
from l0.model.policy import PolicyError

from ..checks import check_share

Strategy = Literal["majority", "unanimous", "weighted", "best"]
Resolution = Literal["vote", "merge", "best", "fail"]
Score = Callable[[Any], float | Awaitable[float]]
"""A user's function that rates an answer; the highest score is the best."""


def check_choice(field: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise `PolicyError` if ``value`` is not one of ``allowed``."""
    if value not in allowed:
        raise PolicyError(field, value, "one of " + ", ".join(allowed))


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusPreset:
    """Settings of a consensus.

    ``strategy``: ``"majority"``: a share of ``minimum_agreement`` of the answers must be alike; ``"unanimous"``: all
    answers must be alike; ``"weighted"``: as majority, but answers count by weight; ``"best"``: the answer with the
    best score wins, without agreement. ``threshold``: similarity from which two texts count as alike, above 0 up to 1;
    1 means equality. ``minimum_agreement``: share of all tasks, including failed ones, above 0 up to 1. ``resolve``:
    the action if there is no agreement: ``"vote"``: choose the most supported answer, unless another answer has the
    same support or only one task supports it; ``"merge"``: merge all answers; ``"best"``: choose the answer with the
    best score; ``"fail"``: raise `ConsensusError`.

    Raises `PolicyError` for an invalid field.
    """

    strategy: Strategy = "majority"
    threshold: float = 0.8
    minimum_agreement: float = 0.6
    resolve: Resolution = "vote"

    def __post_init__(self) -> None:
        check_choice("Consensus.strategy", self.strategy, get_args(Strategy))
        check_choice("Consensus.resolve", self.resolve, get_args(Resolution))
        for name in ("threshold", "minimum_agreement"):
            check_share(f"Consensus.{name}", getattr(self, name))


STRICT = ConsensusPreset(strategy="unanimous", threshold=1.0, minimum_agreement=1.0, resolve="fail")
STANDARD = ConsensusPreset()
LENIENT = ConsensusPreset(threshold=0.7, minimum_agreement=0.5, resolve="merge")
BEST = ConsensusPreset(strategy="best", minimum_agreement=0.5, resolve="best")


def check_weights(strategy: Strategy, weights: Sequence[float] | None, count: int) -> tuple[float, ...]:
    """Return a weight for each task; 1.0 if none are given. Raises `PolicyError` for invalid weights."""
    if weights is None:
        if strategy == "weighted":
            raise PolicyError("Consensus.weights", weights, f'{count} numbers for strategy "weighted", one per task')
        return (1.0,) * count
    if strategy not in ("weighted", "best"):
        raise PolicyError("Consensus.weights", weights, f'None for strategy "{strategy}"')
    numbers = [w for w in weights if isinstance(w, int | float) and not isinstance(w, bool) and isfinite(w) and w >= 0]
    if len(numbers) != count or len(weights) != count or not sum(numbers):
        raise PolicyError(
            "Consensus.weights", weights, f"{count} numbers of 0 or more, one per task, at least one above 0"
        )
    return tuple(map(float, numbers))
