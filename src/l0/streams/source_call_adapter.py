"""The call adapter of the explicit API, whose source is the user's function instead of an SDK."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from l0.model.attempt import AttemptSpec
from l0.model.call_events import ResponseMetadata, ToolCalls
from l0.model.error_context import ErrorContext
from l0.model.failure import TIMEOUT_CAUSES, Failure
from l0.model.policy import ResumeMode
from l0.model.resume_state import ResumeState

from . import source_failures
from .adapters import Adapter
from .callbacks import Attempt, Callbacks
from .source_observer import SourceCallObserver
from .stream_state import State

Factory = Callable[..., Any]
"""A function that returns one attempt's source: a stream, an iterator, an awaitable of either, or a whole answer."""


class SourceCallAdapter:
    """The `CallAdapter` of one call. ``sources``: the factories of the primary and the fallbacks. ``classify``: the
    user's function that classifies exceptions. ``adapter``: the adapter for the items of all sources; ``None``: L0
    chooses one by the first item."""

    def __init__(
        self,
        sources: Sequence[Factory],
        callbacks: Callbacks,
        state: State,
        call_observer: SourceCallObserver,
        classify: source_failures.Classify | None = None,
        adapter: Adapter | None = None,
    ) -> None:
        self.adapter = adapter
        self.sources = sources
        self.classify = classify
        self.callbacks = callbacks
        self.state = state
        self.call_observer = call_observer
        self.opened = False
        self.raised: BaseException | None = None
        """The exception that the user gets: made for a failure, or an exception of the source that is no failure."""

    base_url = ""

    def options(self, attempt: AttemptSpec, headers: Mapping[str, str]) -> AttemptSpec:  # noqa: ARG002 - a source takes no headers
        """Return the attempt itself as its options, and queue the callbacks that it causes."""
        self.state.attempts = attempt.number
        self.state.leg, previous_leg = attempt.leg, self.state.leg
        self.call_observer.begin()
        failures = self.state.failures
        failure = failures[-1] if failures else None
        started = Attempt(number=attempt.number, leg=attempt.leg, failure=failure, resume=attempt.resume)
        if failure is not None and failure.cause in TIMEOUT_CAUSES:
            self.callbacks.queue("on_timeout", failure)
        if attempt.resume is not None:
            self.state.restarts += attempt.resume == "restart"
            self.callbacks.queue("on_resume", started)
        elif attempt.leg != previous_leg:
            self.callbacks.queue("on_fallback", started)
        else:
            self.callbacks.queue("on_retry" if attempt.number > 1 else "on_start", started)
        return attempt

    def source(self, attempt: AttemptSpec) -> Any:
        """Call the factory of the attempt's leg. A factory that takes an argument gets the text to continue."""
        factory = self.sources[attempt.leg]
        resumed = attempt.resume_state if attempt.resume == "splice" else None
        text_so_far = "" if resumed is None else resumed.text
        return factory(text_so_far) if takes_text(factory) else factory()

    def resumes(self, strategy: ResumeMode, resume_state: ResumeState) -> bool:
        """Return True if the source can resume in this mode. Any source can be called again; a continuation needs a
        factory that takes the text."""
        if strategy == "splice":
            return bool(resume_state.text) and takes_text(self.sources[self.state.leg])
        return strategy in ("exact", "restart")

    def failed(self, error: BaseException, *, opened: bool) -> Failure | None:
        """Return the failure that the engine in a patched SDK found, or the one classified from the exception."""
        inner = self.call_observer.failure
        if inner is not None and isinstance(error, Exception) and (opened or source_failures.raised_for(inner, error)):
            failure: Failure | None = source_failures.adopted(inner, error)
        else:
            failure = source_failures.classify(error, opened=opened)
        failure = source_failures.overruled(failure, error, self.classify)
        if failure is None and isinstance(error, Exception):
            self.raised = error
        return failure

    def answer_failure(self, answer: Any) -> Failure | None:  # noqa: ARG002
        """Return ``None``: a whole answer is read like a stream of one item, and checked there."""
        return None

    def complete_answer(self, answer: Any) -> tuple[ResponseMetadata | None, str, ToolCalls]:
        """Return the answer that a patched SDK decoded in this attempt and then refused; nothing for any other.

        A whole answer that the source returned is read like a stream of one item, and observed there.
        """
        request_adapter = self.call_observer.request_adapter
        return (None, "", ()) if request_adapter is None else request_adapter.complete_answer(answer)

    def completed(self) -> None:
        """Do nothing: L0 keeps no record of which functions send terminal events."""

    def backoff(self, retry: int, failure: Failure) -> float:  # noqa: ARG002
        """Return 0. Never called, because a policy of the explicit API always has a `Retry`."""
        return 0.0

    def stopped(self, error: BaseException | None) -> BaseException:
        """As `CallAdapter.stopped`."""
        return error if error is not None else RuntimeError("the stream was closed")

    @property
    def client_closed(self) -> bool:
        """False, because L0 does not know the client that a source uses."""
        return False

    def exception(self, failure: Failure, context: ErrorContext) -> BaseException:
        """Return the exception for the user: the source's own if it has one."""
        request_adapter = self.call_observer.request_adapter
        self.raised = source_failures.exception(failure, context, request_adapter, opened=self.opened)
        return self.raised


def takes_text(factory: Factory) -> bool:
    """Return True if a factory takes the text so far, which means that it has a required positional parameter."""
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # a builtin
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(each.kind in kinds and each.default is inspect.Parameter.empty for each in parameters)
