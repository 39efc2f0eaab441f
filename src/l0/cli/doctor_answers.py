"""Read one streamed answer per API of an SDK from a simulated provider, for `l0 doctor`."""

from __future__ import annotations

from typing import Any

from l0.simulator import corpus
from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor
from l0.stainless.openai_requests import operations_at
from l0.stainless.sdk import Sdk
from l0.stainless.stainless_instrumentor import StainlessInstrumentor

from .demo.demo_provider import ScriptedSimulator
from .demo.judge import Result
from .demo.load import Load, available_apis, read
from .demo.plan import APIS, SDKS, Api, plan, shipped

_RUN = "doctor"


def doctor_answers(instrumentor: StainlessInstrumentor, sdk: Sdk, simulator: ScriptedSimulator) -> list[Result]:
    """Return the results of one call per API of this SDK that can stream."""
    answers = shipped(corpus.answers())
    if not isinstance(instrumentor, OpenAiApiInstrumentor):
        own: list[Api] = [api for api in available_apis() if SDKS[api] == sdk.name]
        calls = plan(len(own), 0, 0.0, answers, own)
        return Load(simulator=simulator, concurrency=2).one_by_one(_RUN, calls)
    dialects = {dialect for dialect, _ in operations_at(instrumentor.paths).values()}
    apis: list[Api] = [api for api in APIS if api in dialects]
    # Text only, as of the completions API: not every SDK has objects for tool calls in parts.
    calls = plan(len(apis), 0, 0.0, dict.fromkeys(apis, answers["completions"]), apis)
    with _client_class(sdk)(api_key=_RUN, base_url=simulator.origin) as client:
        return [read(dict.fromkeys(apis, client), call, _RUN) for call in calls]


def _client_class(sdk: Sdk) -> Any:
    """Return the sync client that the package exports. Raises `StopIteration` if it exports none."""
    base = sdk.base.SyncAPIClient
    return next(kind for kind in vars(sdk.package).values() if isinstance(kind, type) and issubclass(kind, base))
