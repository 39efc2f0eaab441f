"""Read one answer per API of an SDK from a simulated provider, for `l0 doctor`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from operator import attrgetter
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from l0.config import observed_by
from l0.model.errors import StreamInterrupted, class_and_place
from l0.simulator import corpus
from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor, operations_at, paths_of
from l0.stainless.sdk import Sdk
from l0.stainless.stainless_instrumentor import StainlessInstrumentor

from .demo.demo_provider import CALL_ID_HEADER, ScriptedSimulator
from .demo.failure_causes import FailureCauses, numbered
from .demo.judge import AnswerVerdict, Result, judge
from .demo.load import METHODS, FailureEvent, Load, OtherFormatError, available_apis, call_id, read
from .demo.plan import APIS, SDKS, Api, plan, shipped
from .doctor_finding import DoctorFinding

_RUN = "doctor"
_STREAMED = "one streamed answer"
_OUTCOMES = {
    AnswerVerdict.WHOLE: "whole",
    AnswerVerdict.ERROR: "error",
    AnswerVerdict.SILENT: "not the answer that was sent, and no error",
    AnswerVerdict.FOREIGN: "an error of a class that this SDK does not raise",
}
_FROM_TYPES = ("literal_error", "enum", "missing", "extra_forbidden")
"""The kinds of pydantic's errors whose message is made from the SDK's types alone."""


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
        path, head = _requested_path(simulator, answer.number), f"{answer.kind}, {answer.api}: "
        if isinstance(instrumentor, OpenAiApiInstrumentor):
            obstacle = _obstacle(instrumentor, answer, sent=path is not None, unstreamed=observer.unstreamed)
            if obstacle is not None:
                yield DoctorFinding(head + obstacle)
                continue
        unseen = path is not None and answer.number not in seen
        text = head + _outcome(instrumentor, answer)
        if unseen:
            text += f", but {_unseen(instrumentor, path)}"
        yield DoctorFinding(text, answer.verdict is not AnswerVerdict.WHOLE or unseen)
        if isinstance(instrumentor, OpenAiApiInstrumentor):
            url = _default_url(instrumentor, sdk, answer)
            if url is not None and url not in (path, *instrumentor.paths):
                yield DoctorFinding(f"{answer.api} without a base_url: {_unseen(instrumentor, url)}", True)
            others = [] if unseen else _other_paths(instrumentor, answer, (path, url))
            if others:
                yield DoctorFinding(f"{answer.api}: cannot try {' and '.join(others)}: the SDK requested {path}")


class _Answer(NamedTuple):
    """The answer of one call. ``request``: makes the call again with another client, and returns its exception."""

    number: int
    kind: str
    api: str
    verdict: AnswerVerdict
    error: BaseException | None
    request: Callable[[Any], BaseException | None]


def _obstacle(
    instrumentor: OpenAiApiInstrumentor, answer: _Answer, *, sent: bool, unstreamed: Collection[int]
) -> str | None:
    """Return the reason why this call of the report cannot check a declared path; ``None`` if it does.

    ``sent``: the SDK sent a request. ``unstreamed``: as in `FailureCauses`. The program's own calls may still work.
    """
    if answer.error is None:
        return None
    if not sent:
        paths = " or ".join(paths_of(instrumentor.paths, answer.api))
        refused = _refused_parameters(answer.error)
        reason = (
            f"the SDK does not accept the report's arguments ({refused})"
            if refused
            else f"the SDK sent no request ({class_and_place(answer.error)})"
        )
        return f"cannot try {paths}: {reason}"
    if answer.kind == _STREAMED and answer.number in unstreamed:
        return "cannot try a stream: the SDK reads the answer as one object, even with stream=True"
    return None


def _refused_parameters(error: Any) -> str:
    """Return which parameters an error of pydantic names, and what it expects; ``""`` for any other error.

    The message of another kind may quote a value, so the name of the kind stands for it.
    """
    if type(error).__module__.partition(".")[0] != "pydantic_core" or not hasattr(error, "errors"):
        return ""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))}: {one['msg' if one['type'] in _FROM_TYPES else 'type']}" for one in found
    )


def _other_paths(instrumentor: OpenAiApiInstrumentor, answer: _Answer, requested: Collection[str | None]) -> list[str]:
    """Return the declared paths of an API that no request of the report had."""
    declared = paths_of(instrumentor.paths, answer.api)
    return [path for path in declared if path not in requested and f"/{path}" not in requested]


def _outcome(instrumentor: StainlessInstrumentor, answer: _Answer) -> str:
    """Describe the outcome of a call. The text of an error is shown only if L0 wrote it, or if it cannot be secret."""
    error = answer.error
    if error is None:
        return _OUTCOMES[answer.verdict]
    if isinstance(error, OtherFormatError) and isinstance(instrumentor, OpenAiApiInstrumentor):
        paths = " and ".join(paths_of(instrumentor.paths, answer.api))
        return f"not OpenAI's format: the SDK's {error} has other fields. Leave out {paths}"
    own = isinstance(error, StreamInterrupted | FailureEvent)
    text = f"{type(error).__name__}: {error}" if own else class_and_place(error)
    return f"{_OUTCOMES[answer.verdict]}: {text}"


def _streamed(result: Result, find_method: Callable[[Any], Any] | None = None) -> _Answer:
    call = result.call

    def request(client: Any) -> BaseException | None:
        return read({call.api: client}, call, _RUN, find_method).error

    return _Answer(call.number, _STREAMED, call.api, judge(result), result.error, request)


def _embeddings(client: Any, number: int, find_method: Callable[[Any], Any]) -> _Answer:
    """Request one vector. Embeddings are never streamed."""

    def request(client: Any) -> BaseException | None:
        headers = {CALL_ID_HEADER: call_id(_RUN, number)}
        try:
            with numbered(number):
                find_method(client)(model="simulated", input="Hi", extra_headers=headers)
        except Exception as error:
            return error
        return None

    error = request(client)
    verdict = AnswerVerdict.WHOLE if error is None else AnswerVerdict.ERROR
    return _Answer(number, "one answer", "embeddings", verdict, error, request)


def _method(api: str, paths: Iterable[str]) -> Callable[[Any], Any]:
    """Return a function that finds an API's method of a client: that of openai's SDK, else one named by a path, such as
    ``client.fim.completions.create`` for ``/v1/fim/completions``."""
    usual = attrgetter("embeddings.create") if api == "embeddings" else METHODS[api]  # type: ignore[index]

    def find(client: Any) -> Any:
        try:
            return usual(client)
        except AttributeError:
            for name in _names(paths):
                with suppress(AttributeError):
                    return attrgetter(f"{name}.create")(client)
            raise

    return find


def _names(paths: Iterable[str]) -> Iterator[str]:
    """Yield the dotted names that the ends of paths may have on a client, the longest first."""
    for path in paths:
        parts = [part.replace("-", "_") for part in urlsplit(path).path.split("/") if part]
        for first in range(len(parts)):
            yield ".".join(parts[first:])


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
        methods = {api: _method(api, paths_of(instrumentor.paths, api)) for api in dialects}
        results = [read({call.api: client}, call, _RUN, methods[call.api]) for call in calls]
        found = [_streamed(result, methods[result.call.api]) for result in results]
        return found + ([_embeddings(client, len(calls), methods["embeddings"])] if "embeddings" in dialects else [])


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
            f"could not construct {kind.__name__}({arguments}): {type(error).__name__}: {_first_line(error)}. "
            f"Declare the arguments that it needs as client_options of {type(instrumentor).__name__}"
        ) from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")


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
