"""Notify the application's observers once per call of the explicit API, even if its source uses a patched SDK.

A source is a function, so its request is not known in advance. If the function calls a patched SDK, the engine there
describes the request: provider, model, parameters. The single span of the call is made from the description of the
primary, and gets the metadata (tokens, finish reasons) that the engine in the SDK reads from the answer. 'Below' means
in that engine. If the primary sends no such request, its provider is unknown: a fallback describes only its own
attempts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import copy_context
from dataclasses import replace

from l0.config import CONFIG
from l0.model.call import Call, LegEndpoint, Outcome
from l0.model.call_events import AttemptEnded, AttemptStarted, BreakerChanged, CallEnded, CallEvent, ResponseMetadata
from l0.model.failure import Failure
from l0.model.ports import CallAdapter, CallObserver, Observer
from l0.runtime.observer_guard import enter_observer, headers_of, report_observer_failure
from l0.telemetry.names import REQUEST_CHOICE_COUNT


class SourceCallObserver:
    """A `CallObserver` of the call, and of the requests that its attempts make. ``of_call``: the observers of this call
    alone. ``endpoints``: the servers of the fallbacks, each set once its source sends a request through a patched SDK.
    """

    def __init__(self, call: Call, endpoints: list[LegEndpoint], of_call: Sequence[Observer] = ()) -> None:
        self._call = call
        self._of_call = of_call
        self._own = CONFIG.own_observers
        """L0's own observers at the start of the call, which `l0.uninstrument` does not take from it."""
        self._context = copy_context()
        """The trace context at the start of the call: its span may start when the user's code has left it."""
        self._early: list[CallEvent] = []
        """Events that came before the call was described."""
        self._call_observers: list[CallObserver] | None = None if CONFIG.listening or of_call else []
        self._leg = 0
        """The leg of the current attempt."""
        self._endpoints = endpoints
        self._request: Call | None = None
        """The current attempt's request in the engine below, if there is one."""
        self.request_adapter: CallAdapter | None = None
        """The adapter of that request."""
        self.metadata: ResponseMetadata | None = None
        """Metadata of the current attempt, once the engine below has received a complete answer."""
        self.failure: Failure | None = None
        """The failure that ended the attempt in the engine below, with details that only the provider's package
        knows."""

    @property
    def observed(self) -> bool:
        """True if the call has observers, or may get some once it is described."""
        return self._call_observers is None or bool(self._call_observers)

    # -- of the call --------------------------------------------------------------------------------------------------

    def notify(self, event: CallEvent) -> None:
        """Pass an event on. Until the call is described, keep it."""
        if isinstance(event, AttemptStarted):
            self._leg = event.attempt.leg
            if self._leg:
                self._described_by_none()
        if self._call_observers is None:
            self._early.append(event)
            if isinstance(event, CallEnded):
                self._described_by_none()
            return
        self._pass_on(event)

    def _pass_on(self, event: CallEvent) -> None:
        for observer in self._call_observers or ():
            try:
                observer.notify(event)
            except Exception:
                report_observer_failure(observer, "notify")

    def active(self) -> AbstractContextManager[object]:
        """Return a context that makes the call the current trace context, once the call is described."""
        return self._entered() if self._call_observers else nullcontext()

    @contextmanager
    def _entered(self) -> Iterator[None]:
        with ExitStack() as stack:
            for observer in self._call_observers or ():
                enter_observer(observer, stack)
            yield

    def headers(self) -> Mapping[str, str]:
        """Return the headers of all observers, as `CallObserver.headers`."""
        return {name: value for each in self._call_observers or () for name, value in headers_of(each).items()}

    def described(self, call: Call, sdk: str | None = None) -> None:
        """Set the description of the call, and pass on the events kept so far. Only the first description counts.

        ``sdk``: the import name of the patched SDK whose request describes the call; ``None`` if there is none.
        """
        if self._call_observers is not None:
            return
        self._call_observers = CONFIG.outermost_observers_of(
            replace(
                call,
                policy=self._call.policy,
                streaming=True,
                context=self._call.context,
                fallback_endpoints=self._endpoints,
                began_at=self._early[0].at if self._early else None,
            ),
            self._own.of(sdk),
            self._of_call,
        )
        early, self._early = self._early, []
        for event in early:
            self._pass_on(event)

    def _described_by_none(self) -> None:
        """Describe the call by what is known at its start, because its primary has sent no request through an SDK."""
        self._context.run(self.described, self._call)

    @property
    def one_choice(self) -> bool:
        """True if a patched SDK sent the attempt's request, and requested one choice."""
        return self._request is not None and REQUEST_CHOICE_COUNT not in self._request.attributes

    def adapted(self, name: str) -> None:
        """Name the provider by the adapter of the primary's items, unless a request describes the call."""
        if not self._leg and self._request is None:
            self._call = replace(self._call, provider=name)

    def begin(self) -> None:
        """Reset the metadata and the failure for a new attempt."""
        self._request = self.request_adapter = self.metadata = self.failure = None

    # -- of the requests of its attempts ------------------------------------------------------------------------------

    def observe_request(self, call: Call, sdk: str | None, call_adapter: CallAdapter | None) -> CallObserver:
        """Observe a request of the current attempt, as `EnclosingCall.observe_request`."""
        self._request, self.request_adapter = call, call_adapter
        if self._leg:
            self._endpoints[self._leg - 1] = LegEndpoint(call.provider, call.host, call.port, call.model)
        self.described(call, sdk)
        return _RequestObserver(self)

    def failed_below(self) -> bool:
        """Return True if the engine below has reported a failure of the current attempt."""
        return self.failure is not None

    def with_servers(self, call: Call) -> Call:
        """Return a call with the server and model of its primary, if that sends the current request."""
        request = self._request
        if self._leg or request is None:
            return call
        return replace(
            call,
            operation=request.operation,
            provider=request.provider,
            model=request.model,
            host=request.host,
            port=request.port,
        )


class _RequestObserver:
    """The observer of one request in an SDK. It passes the result of the engine there to the call, and creates no
    span."""

    enclosed = True
    """The engine below logs nothing: the call logs the failures of its attempts."""

    def __init__(self, outer: SourceCallObserver) -> None:
        self._outer = outer

    def notify(self, event: CallEvent) -> None:
        if isinstance(event, BreakerChanged):
            self._outer.notify(event)
        elif isinstance(event, AttemptEnded):  # the end of the call may be reported later
            self._outer.failure = event.failure
        elif isinstance(event, CallEnded):
            self._outer.failure = event.failure
            complete = event.failure is None and event.outcome is not Outcome.CANCELLED
            self._outer.metadata = event.metadata if complete else None

    def active(self) -> AbstractContextManager[object]:
        return self._outer.active()

    def headers(self) -> Mapping[str, str]:
        return self._outer.headers()
