"""The provider of the demo: a simulator that can fail the first requests of a call and answer the later ones."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import replace

from l0.simulator import http, script_grammar
from l0.simulator.dialects.server_dialect import Dialect
from l0.simulator.server import Simulator
from l0.simulator.simulator_config import SimulatorConfig
from l0.simulator.simulator_thread import SimulatorThread
from l0.simulator.steps import SimulatedResponse

from .plan import SEPARATOR

CALL_ID_HEADER = "x-l0-demo-call"
"""Header with the id of the call to which a request belongs. The n-th request of a call gets the n-th script."""


class ScriptedSimulator(Simulator):
    """A simulator whose `x-l0-simulate` header may contain a script for each request of a call."""

    def __init__(self, config: SimulatorConfig) -> None:
        super().__init__(config)
        self._request_counts: Counter[str] = Counter()  # written only by the server's single thread

    def _response(self, request: http.HttpRequest, dialect: Dialect | None, index: int) -> SimulatedResponse:
        call_id, script = request.headers.get(CALL_ID_HEADER), request.headers.get(script_grammar.HEADER)
        if call_id is not None and script is not None:
            steps = script.split(SEPARATOR)
            step = steps[min(self._request_counts[call_id], len(steps) - 1)]
            self._request_counts[call_id] += 1
            request = replace(request, headers={**request.headers, script_grammar.HEADER: step.strip()})
        return super()._response(request, dialect, index)

    def requests_of(self, call_id: str) -> int:
        """Return the number of requests of a call. Exact once the call is over."""
        return self._request_counts[call_id]


def provider(config: SimulatorConfig) -> AbstractContextManager[ScriptedSimulator]:
    """Run a scripted simulator, as `l0.testing.simulator` does. Raises `SimulatorError` if it cannot start."""
    return SimulatorThread(ScriptedSimulator(config))
