"""Calls and failures for tests of the engine and of what obeys it."""

from typing import Any

from l0.engine._machine import Machine
from l0.values.calls import Call, Replay
from l0.values.failures import Cause, Failure
from l0.values.policy import Policy


def make_call(**changes: Any) -> Call:
    """A streamed chat call that the SDK would retry twice."""
    fields: dict[str, Any] = {
        "operation": "chat",
        "provider": "openai",
        "model": "gpt-4o",
        "dialect": "chat",
        "streaming": True,
        "origin": "https://api.example.com",
        "host": "api.example.com",
        "port": 443,
        "replay": Replay.SAFE,
        "max_retries": 2,
        "policy": Policy(),
        "strict": True,
    }
    return Call(**fields | changes)


def make_machine(call: Call | None = None, *, backoff: float = 0.25, lease: int | None = None, **more: Any) -> Machine:
    """A machine whose dice always fall on one half, and whose SDK would always wait for ``backoff`` seconds."""
    return Machine(call or make_call(), lambda: 0.5, lambda _number, _failure: backoff, lease, **more)


def make_failure(cause: Cause = Cause.RESET, **fields: Any) -> Failure:
    """A failure that the SDK would retry."""
    return Failure(cause=cause, message="made for a test", **{"sdk_retries": True} | fields)
