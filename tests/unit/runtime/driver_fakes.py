"""An SDK, a reader and a body that do as a test says. Reads are lists of words; exceptions among them are raised."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from l0.model.attempt import AttemptSpec
from l0.model.call_events import AttemptEnded, AttemptStarted, CallEnded, CallEvent, ResponseMetadata, ToolCalls
from l0.model.error_context import ErrorContext
from l0.model.failure import Cause, Failure
from l0.model.policy import ResumeMode
from l0.model.resume_state import ResumeState
from l0.runtime.body_parser import END

DONE = "<done>"
FRAME = "<frame>"
TOOL = "<tool>"


class Broken(Exception):
    """The exception class of this SDK."""


class FakeReader:
    """Words are content, except `FRAME` (lifecycle), `TOOL` (work on the server's side) and `DONE` (terminal)."""

    resumable = True
    disordered = False

    def __init__(self) -> None:
        self.content = self.chars = 0
        self.text: list[str] = []
        self.tools: dict[Any, Any] = {}
        self.other = False
        self.accepted = self.finished = self.stopped = False
        self.failure: Failure | None = None

    def read_event(self, name: bytes | None, data: bytes) -> Any:
        raise NotImplementedError

    def observe_object(self, item: Any) -> None:
        if item is DONE:
            self.finished = self.stopped = True
        elif item is TOOL:
            self.accepted = True
        elif isinstance(item, Failure):
            self.failure, self.stopped = item, True
        elif item is not FRAME:
            self.content += 1
            self.chars += len(item)
            self.text.append(item)

    def finish(self) -> None:
        pass

    def resume_state(self) -> ResumeState:
        return ResumeState(text="".join(self.text))

    def read_resumed(self, name: bytes | None, data: bytes) -> list[Any]:
        raise NotImplementedError

    def resume(self, resume_state: ResumeState, strategy: str) -> None:
        self.text = [resume_state.text]

    def incomplete_cause(self) -> Cause | None:
        if self.finished:
            return None
        return Cause.TRUNCATED if self.content else Cause.EMPTY

    def certainly_complete(self) -> bool:
        return self.incomplete_cause() is None

    def metadata(self) -> ResponseMetadata:
        return ResponseMetadata(model="fake")


class FakePump:
    """One raw read is a list of words."""

    resumes = True
    single_text = None
    end = END

    def __init__(self) -> None:
        self.reader = FakeReader()

    def feed(self, raw: list[Any]) -> list[Any]:
        items = []
        for word in raw:
            self.reader.observe_object(word)
            if not isinstance(word, Failure) and word is not DONE:
                items.append(word)
            if self.reader.stopped:
                break
        return items


@dataclass
class FakeCallAdapter:
    """Counts what it is asked. ``failures``: what `Broken` with that text means."""

    failures: Mapping[str, Failure] = field(default_factory=dict)
    wait: float = 0.0
    plans: list[AttemptSpec] = field(default_factory=list)
    resends: list[int] = field(default_factory=list)
    left: list[float] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    whole_streams: int = 0
    flawed: list[Failure] = field(default_factory=list)

    base_url = ""

    def options(self, attempt: AttemptSpec, headers: Mapping[str, str]) -> Any:
        self.plans.append(attempt)
        self.resends.append(attempt.number - 1)
        self.left.append(attempt.remaining_s)
        self.headers.append(headers)
        return {"number": attempt.number}

    def resumes(self, strategy: ResumeMode, resume_state: ResumeState) -> bool:
        return strategy not in ("splice", "prefill") or bool(resume_state.text)

    def failed(self, error: BaseException, *, opened: bool) -> Failure | None:
        if not isinstance(error, Broken):
            return None
        known = self.failures.get(str(error))
        cause = Cause.RESET if opened else Cause.CONNECTION
        return known or Failure(cause=cause, message=str(error), error=error, sdk_retries=True)

    def answer_failure(self, answer: Any) -> Failure | None:
        return self.flawed.pop(0) if self.flawed else None

    def complete_answer(self, answer: Any) -> tuple[ResponseMetadata | None, str, ToolCalls]:
        return ResponseMetadata(model="fake"), str(answer), []

    def completed(self) -> None:
        self.whole_streams += 1

    def backoff(self, retry: int, failure: Failure) -> float:
        return self.wait

    client_closed = False

    def stopped(self, error: BaseException | None) -> BaseException:
        return Broken("closed") if error is None else error

    def exception(self, failure: Failure, context: ErrorContext) -> BaseException:
        return context.annotate(
            failure.error or Broken(f"{failure.cause} after {context.text!r}, attempt {context.attempts}")
        )


@dataclass
class Listener:
    """An `Observer` and its `CallObserver`, which records its events."""

    events: list[CallEvent] = field(default_factory=list)
    failing: bool = False

    def observe(self, call: Any) -> "Listener":
        return self

    def notify(self, event: CallEvent) -> None:
        self.events.append(event)
        if self.failing:
            raise RuntimeError("a broken observer")

    def active(self) -> AbstractContextManager[object]:
        return nullcontext()

    def headers(self) -> Mapping[str, str]:
        return {"traceparent": "00-1"}

    @property
    def told(self) -> list[str]:
        """The events in short."""
        return [_short(event) for event in self.events]

    @property
    def end(self) -> CallEnded:
        """The last event, of which there is one only."""
        (found,) = [event for event in self.events if isinstance(event, CallEnded)]
        assert self.events[-1] is found
        return found


def _short(event: CallEvent) -> str:
    match event:
        case AttemptStarted(attempt=attempt):
            return f"start {attempt.number}"
        case AttemptEnded(number=number, failure=failure):
            return f"end {number} {failure.cause if failure else 'ok'}"
        case CallEnded(outcome=outcome):
            return f"call {outcome}"


class FakeBody:
    """Attempts, each a list of raw reads. ``closes``: how often the connection was released."""

    def __init__(self, runtime: Any, *attempts: list[Any]) -> None:
        self._runtime = runtime
        self._attempts = iter(attempts)
        self._reads: list[Any] = next(self._attempts)
        self.closes = 0
        self.reopened: list[Any] = []

    def start(self) -> tuple[Iterator[Any], FakePump]:
        return self._raw(), self._parser()

    def _parser(self) -> FakePump:
        parser, resumed = FakePump(), self._runtime.answer.continuation
        if resumed is not None:
            strategy, resume_state = resumed
            parser.reader.resume(resume_state, strategy)
        return parser

    def _raw(self) -> Iterator[Any]:
        for raw in self._reads:
            if isinstance(raw, BaseException):
                raise raw
            yield raw

    def send(self, options: Any) -> Any:
        self.reopened.append(options)
        reads = next(self._attempts)
        if isinstance(reads, BaseException):
            raise reads
        return reads

    def attach(self, answer: Any) -> Any:
        self._reads = self.answer = answer
        return self._runtime.opened(200, None)

    def read_deadline(self) -> None:
        return None

    def close(self) -> None:
        self.closes += 1


class AsyncFakeBody:
    """The same for the async driver."""

    def __init__(self, runtime: Any, *attempts: list[Any]) -> None:
        self._inner = FakeBody(runtime, *attempts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def start(self) -> tuple[AsyncIterator[Any], FakePump]:
        async def raw() -> AsyncIterator[Any]:
            for each in self._inner._raw():
                yield each

        return raw(), self._inner._parser()

    async def send(self, options: Any) -> Any:
        return self._inner.send(options)

    async def prepare(self) -> None:
        pass

    async def drain(self, chunks: AsyncIterator[Any]) -> None:
        pass

    async def close(self) -> None:
        self._inner.close()


class FakeSender:
    """Answers are handed out one by one; exceptions among them are raised."""

    def __init__(self, runtime: Any, answers: list[Any]) -> None:
        self.runtime = runtime
        self.answers = answers
        self.answer: Any = None

    def send(self, options: Any) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def attach(self, answer: Any) -> Any:
        self.answer = answer
        return self.runtime.answered(answer)


class FakeAsyncSender:
    """As `FakeSender`."""

    def __init__(self, runtime: Any, answers: list[Any]) -> None:
        self._sender = FakeSender(runtime, answers)

    async def send(self, options: Any) -> Any:
        return self._sender.send(options)

    def attach(self, answer: Any) -> Any:
        return self._sender.attach(answer)

    @property
    def answer(self) -> Any:
        return self._sender.answer
