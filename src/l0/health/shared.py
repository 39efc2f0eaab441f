"""All that calls share, in one value: who ends streams properly, retry budgets, breakers, first-token times."""

from __future__ import annotations

from time import monotonic

from .breaker import Breakers
from .budget import Budgets
from .quantiles import FirstTokens
from .terminals import Terminals


class Health:
    """The health of all providers, as this process has seen it."""

    def __init__(self) -> None:
        self.terminals = Terminals()
        self.budgets = Budgets()
        self.breakers = Breakers(monotonic)
        self.first_tokens = FirstTokens()
