"""Read one answer per API of an SDK from a simulated provider, for `l0 doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from l0.config import observed_by
from l0.simulator import corpus
from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor, operations_at
from l0.stainless.sdk import Sdk
from l0.stainless.stainless_instrumentor import StainlessInstrumentor

from .demo.demo_provider import CALL_ID_HEADER, ScriptedSimulator
from .demo.failure_causes import FailureCauses, numbered
from .demo.judge import AnswerVerdict, Result, judge
from .demo.load import Load, available_apis, call_id, read
from .demo.plan import APIS, SDKS, Api, plan, shipped
from .doctor_finding import DoctorFinding

_RUN = "doctor"


class _ClientError(Exception):
    """A client of the SDK could not be constructed. The message is for the report."""


class _NotSentError(Exception):
    """A request was not sent. The message is its URL, as the SDK's source states it."""


def doctor_answers(
    instrumentor: StainlessInstrumentor, sdk: Sdk, simulator: ScriptedSimulator
) -> Iterator[DoctorFinding]:
    """Make one call per API of this SDK. Report its answer, and whether l0 saw the call."""
    observer = FailureCauses()
    try:
        with observed_by(observer):
            answers = _answers(instrumentor, sdk, simulator)
    except _ClientError as error:
        yield DoctorFinding(str(error), True)
        return
    seen = observer.snapshot()
    for answer in answers:
        path = _requested_path(simulator, answer.number)
        unseen = path is not None and answer.number not in seen
        text = f"{answer.kind}, {answer.api}: {answer.outcome}"
        if unseen:
            text += f", but {_unseen(instrumentor, path)}"
        yield DoctorFinding(text, answer.problem or unseen)
        if isinstance(instrumentor, OpenAiApiInstrumentor):
            url = _default_url(instrumentor, sdk, answer)
            if url is not None and url not in (path, *instrumentor.paths):
                yield DoctorFinding(f"{answer.api} without a base_url: {_unseen(instrumentor, url)}", True)


class _Answer(NamedTuple):
    """The answer of one call. ``request``: makes the call again with another client, and returns its exception."""

    number: int
    kind: str
    api: str
    outcome: str
    problem: bool
    request: Callable[[Any], BaseException | None]


def _streamed(result: Result) -> _Answer:
    verdict, call = judge(result), result.call
    outcome = verdict.value if result.error is None else f"{verdict.value}: {result.error!r}"
    problem = verdict is not AnswerVerdict.WHOLE

    def request(client: Any) -> BaseException | None:
        return read({call.api: client}, call, _RUN).error

    return _Answer(call.number, "one streamed answer", call.api, outcome, problem, request)


def _embeddings(client: Any, number: int) -> _Answer:
    """Request one vector. Embeddings are never streamed."""

    def request(client: Any) -> BaseException | None:
        headers = {CALL_ID_HEADER: call_id(_RUN, number)}
        try:
            with numbered(number):
                client.embeddings.create(model="simulated", input="Hi", extra_headers=headers)
        except Exception as error:
            return error
        return None

    error = request(client)
    verdict = AnswerVerdict.WHOLE if error is None else AnswerVerdict.ERROR
    outcome = verdict.value if error is None else f"{verdict.value}: {error!r}"
    return _Answer(number, "one answer", "embeddings", outcome, error is not None, request)


def _answers(instrumentor: StainlessInstrumentor, sdk: Sdk, simulator: ScriptedSimulator) -> list[_Answer]:
    answers = shipped(corpus.answers())
    if not isinstance(instrumentor, OpenAiApiInstrumentor):
        own: list[Api] = [api for api in available_apis() if SDKS[api] == sdk.name]
        calls = plan(len(own), 0, 0.0, answers, own)
        return [_streamed(result) for result in Load(simulator=simulator, concurrency=2).one_by_one(_RUN, calls)]
    dialects = {dialect for dialect, _ in operations_at(instrumentor.paths).values()}
    apis: list[Api] = [api for api in APIS if api in dialects]
    # The answers of the completions API are text only: not every SDK has objects for tool calls in parts.
    calls = plan(len(apis), 0, 0.0, dict.fromkeys(apis, answers["completions"]), apis)
    with _client(instrumentor, sdk, simulator.origin) as client:
        found = [_streamed(read(dict.fromkeys(apis, client), call, _RUN)) for call in calls]
        return found + ([_embeddings(client, len(calls))] if "embeddings" in dialects else [])


def _client_class(sdk: Sdk) -> Any:
    """Return the sync client that the package exports. Raises `_ClientError`."""
    base = sdk.base.SyncAPIClient
    for kind in vars(sdk.package).values():
        if isinstance(kind, type) and issubclass(kind, base):
            return kind
    raise _ClientError(f"no call was made: {sdk.name} exports no sync client")


def _client(instrumentor: OpenAiApiInstrumentor, sdk: Sdk, origin: str) -> Any:
    """Construct a client of the simulator. Raises `_ClientError`."""
    kind, options = _client_class(sdk), {**instrumentor.client_options, "base_url": origin}
    try:
        return kind(**options)
    except Exception as error:
        arguments = ", ".join(f"{name}=..." for name in options)
        raise _ClientError(
            f"could not construct {kind.__name__}({arguments}): {type(error).__name__}: {error}. "
            f"Declare the arguments that it needs as client_options of {type(instrumentor).__name__}"
        ) from error


def _default_url(instrumentor: OpenAiApiInstrumentor, sdk: Sdk, answer: _Answer) -> str | None:
    """Return the URL that the SDK requests for this call if its base URL is not changed; ``None`` if that is unknown.

    Some SDKs then request complete URLs instead of paths. The request is not sent, because it would go to the provider.
    """

    def request(client: Any, cast_to: Any, options: Any, **_: Any) -> Any:  # noqa: ARG001 - as in the SDK
        raise _NotSentError(str(options.url))

    try:
        client = type("_UnsentClient", (_client_class(sdk),), {"request": request})(**instrumentor.client_options)
    except Exception:  # it needs a base URL
        return None
    with client:
        error = answer.request(client)
    return str(error) if isinstance(error, _NotSentError) else None


def _requested_path(simulator: ScriptedSimulator, number: int) -> str | None:
    """Return the path of the request of a call; ``None`` if the SDK sent none."""
    own = call_id(_RUN, number)
    return next((request.path for request in simulator.requests if request.headers.get(CALL_ID_HEADER) == own), None)


def _unseen(instrumentor: StainlessInstrumentor, url: str | None) -> str:
    """Return the text for a call that l0 does not see, with the reason if the URL shows it."""
    text = "l0 does not see the call"
    if not isinstance(instrumentor, OpenAiApiInstrumentor) or url in instrumentor.paths:
        return text
    return f"{text}: {url} is not one of the paths of {type(instrumentor).__name__}"
