"""The provider of the demo: a simulator that can fail the first requests of a call and answer the later ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from l0.simulator import http, script_grammar
from l0.simulator.dialects.server_dialect import Dialect
from l0.simulator.ledger import Received
from l0.simulator.server import Simulator
from l0.simulator.simulator_config import SimulatorConfig
from l0.simulator.steps import SimulatedResponse
from l0.testing import serving

from .plan import SDKS, SEPARATOR, Api

CALL_ID_HEADER = "x-l0-demo-call"
"""Header with the id of the call to which a request belongs. The n-th request of a call gets the n-th script."""


class ScriptedSimulator(Simulator):
    """A simulator whose `x-l0-simulate` header may contain a script for each request of a call."""

    def __init__(self, config: SimulatorConfig) -> None:
        super().__init__(config)
        self._turns: Counter[str] = Counter()  # written only by the server's single thread

    def _response(self, request: http.HttpRequest, dialect: Dialect | None, index: int) -> SimulatedResponse:
        call_id, script = request.headers.get(CALL_ID_HEADER), request.headers.get(script_grammar.HEADER)
        if call_id is not None and script is not None:
            steps = script.split(SEPARATOR)
            step = steps[min(self._turns[call_id], len(steps) - 1)]
            self._turns[call_id] += 1
            request = replace(request, headers={**request.headers, script_grammar.HEADER: step.strip()})
        return super()._response(request, dialect, index)


def provider(config: SimulatorConfig) -> AbstractContextManager[ScriptedSimulator]:
    """Run a scripted simulator, as `l0.testing.simulator` does. Raises `SimulatorError` if it cannot start."""
    return serving(ScriptedSimulator(config))


def count_faults(log: Sequence[Received]) -> dict[str, Counter[str]]:
    """Count the faults that the provider served, by SDK and by kind, independently of what clients observed."""
    counts: dict[str, Counter[str]] = {sdk: Counter() for sdk in SDKS.values()}
    for received in log:
        sdk = _sdk_of(received.dialect)
        if sdk is not None and (done := _kind(received.answered)):
            counts[sdk][done] += 1
    return counts


def count_requests(log: Sequence[Received]) -> Counter[str]:
    """Count inference requests by SDK."""
    return Counter(sdk for received in log if (sdk := _sdk_of(received.dialect)) is not None)


def _sdk_of(dialect: str | None) -> str | None:
    apis: dict[str, Api] = {api: api for api in SDKS}  # narrows a str to an Api, for mypy
    return SDKS[apis[dialect]] if dialect in apis else None


def _kind(answered: str) -> str:
    """Return the kind of a fault (`status 503` for `status 503 retry-after-ms=40`), or "" for a correct answer."""
    words = answered.split()
    if not words or words[0] in ("ok", "recorded"):
        return ""
    return " ".join(words[:2]) if words[0] == "status" else words[0]
