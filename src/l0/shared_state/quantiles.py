"""First-token times as they were observed: what a hedge and an adaptive deadline are set by.

The last 200 are kept, so the quantiles are exact and the past is forgotten. They are put in order when a figure is
asked for, once a call that hedges, so that keeping one takes no lock. The sketches to be had (DDSketch, t-digest, P2)
estimate, and forget nothing: a provider that was slow yesterday would stay slow for as many calls as it had been asked
before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from math import ceil, inf

from .forks import renew_in_child
from .keyed import MOST, Keyed

LAST = 200
"""Samples that count."""
LEAST = 20
"""Samples below which nothing is said."""
SHORTEST = 2.0
"""Seconds that an adaptive deadline never goes below."""

_SIZES = ("small", "medium", "large", "huge")
_BOUNDS = (4_000, 40_000, 400_000)  # characters: about 1,000, 10,000 and 100,000 tokens of English

Series = tuple[str, str, str]
"""Provider, model and size class of the prompt."""


def prompt_size(characters: int) -> str:
    """The class of a prompt: ``small``, ``medium``, ``large`` or ``huge``, each ten times the last."""
    return _SIZES[bisect_right(_BOUNDS, characters)]


class Quantiles:
    """The last ``last`` samples, in seconds. ``None`` for any figure until there are ``least`` of them."""

    def __init__(self, *, last: int = LAST, least: int = LEAST) -> None:
        self._last = last
        self._least = least
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """Forget every sample."""
        self._samples: deque[float] = deque(maxlen=self._last)

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, seconds: float) -> None:
        """One first token took ``seconds``; what is no time is left out.

        An attempt that was given up counts too, with the time it was waited for: without it a deadline would only
        ever learn from the calls that beat it.
        """
        if not 0.0 <= seconds < inf:
            return
        self._samples.append(seconds)

    def quantile(self, share: float) -> float | None:
        """The sample that at least ``share`` of all (0 to 1) do not exceed, in seconds."""
        ordered = sorted(self._samples.copy())
        number = len(ordered)
        if number < self._least:
            return None
        return ordered[max(0, ceil(share * number - 1e-9) - 1)]

    @property
    def p95(self) -> float | None:
        """Seconds after which a hedge is worth its cost."""
        return self.quantile(0.95)

    @property
    def p99(self) -> float | None:
        """Seconds that one call in a hundred takes longer than."""
        return self.quantile(0.99)

    def deadline(self, limit: float | None) -> float | None:
        """Adaptive first-token deadline in seconds: twice the p99, at least 2 s, never above the user's ``limit``."""
        p99 = self.p99
        if p99 is None:
            return None
        return min(max(2.0 * p99, SHORTEST), inf if limit is None else limit)


class FirstTokens(Keyed[Series, Quantiles]):
    """``first_tokens[provider, model, prompt_size(characters)]``."""

    def __init__(self, most: int = MOST) -> None:
        super().__init__(lambda _: Quantiles(), most)
