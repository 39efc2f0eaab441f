"""Catch and log the exceptions of observers, so that they reach neither the call nor the other observers."""

from __future__ import annotations

from contextlib import ExitStack
from logging import WARNING
from types import TracebackType

from l0.model.errors import raised
from l0.model.ports import CallObserver
from l0.telemetry.call_log import CALL_LOG
from l0.telemetry.log_lines import LogLine

from .finalizers import call_when_safe


def report_observer_failure(observer: object, method: str) -> None:
    """Log the exception being handled, which ``method`` of an observer raised.

    An observer that fails at every event must not flood the log, so its lines are limited like those of calls.
    """
    name = type(observer).__qualname__
    text = f"{name}.{method} failed and is ignored: {raised()}"
    fields = {"l0_event": "observer_failed", "l0_cause": name}
    call_when_safe(CALL_LOG.write, LogLine(level=WARNING, text=text, fields=fields))


def enter_observer(observer: CallObserver, stack: ExitStack) -> None:
    """Enter the observer's context until ``stack`` is closed. Leaving it raises nothing, and hides no exception."""
    try:
        context = observer.active()
        context.__enter__()
    except Exception:
        report_observer_failure(observer, "active")
        return

    def leave(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            context.__exit__(kind, error, trace)
        except Exception:
            report_observer_failure(observer, "active")

    stack.push(leave)


def headers_of(observer: CallObserver) -> dict[str, str]:
    """Return the observer's headers; none if it fails."""
    try:
        return dict(observer.headers())
    except Exception:
        report_observer_failure(observer, "headers")
        return {}
