"""The demo's provider: a simulator that can let the first requests of a call fail, and the later ones succeed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from l0.simulator import grammar, http
from l0.simulator.config import SimulatorConfig
from l0.simulator.dialects.base import Dialect
from l0.simulator.ledger import Received
from l0.simulator.server import Simulator
from l0.simulator.steps import Response
from l0.testing import serving

from .plan import SDKS, SEPARATOR, Api

CALL = "x-l0-demo-call"
"""Names the call that a request belongs to: the n-th request of one name gets the n-th part of its script."""


class ScriptedSimulator(Simulator):
    """A simulator whose `x-l0-simulate` header may hold a script for each request of one call."""

    def __init__(self, config: SimulatorConfig) -> None:
        super().__init__(config)
        self._turns: Counter[str] = Counter()  # written by the server's one thread only

    def _response(self, request: http.Request, dialect: Dialect | None, index: int) -> Response:
        name, script = request.headers.get(CALL), request.headers.get(grammar.HEADER)
        if name is not None and script is not None:
            steps = script.split(SEPARATOR)
            step = steps[min(self._turns[name], len(steps) - 1)]
            self._turns[name] += 1
            request = replace(request, headers={**request.headers, grammar.HEADER: step.strip()})
        return super()._response(request, dialect, index)


def provider(config: SimulatorConfig) -> AbstractContextManager[ScriptedSimulator]:
    """Run one as `l0.testing.simulator` does; raises `SimulatorError` where it cannot start."""
    return serving(ScriptedSimulator(config))


def broken(log: Sequence[Received]) -> dict[str, Counter[str]]:
    """What the provider did to requests, by SDK: counted where it was done, whatever a client made of it."""
    counts: dict[str, Counter[str]] = {sdk: Counter() for sdk in SDKS.values()}
    for received in log:
        sdk = _sdk_of(received.dialect)
        if sdk is not None and (done := _kind(received.answered)):
            counts[sdk][done] += 1
    return counts


def requests(log: Sequence[Received]) -> Counter[str]:
    """Inference requests by SDK."""
    return Counter(sdk for received in log if (sdk := _sdk_of(received.dialect)) is not None)


def _sdk_of(dialect: str | None) -> str | None:
    apis: dict[str, Api] = {api: api for api in SDKS}
    return SDKS[apis[dialect]] if dialect in apis else None


def _kind(answered: str) -> str:
    """`status 503 retry-after-ms=40` to `status 503`; "" where nothing went wrong."""
    words = answered.split()
    if not words or words[0] in ("ok", "recorded"):
        return ""
    return " ".join(words[:2]) if words[0] == "status" else words[0]
