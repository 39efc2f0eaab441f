"""Run a source of an answer on the engine."""

from __future__ import annotations

from typing import Any, Unpack

from l0.config import CONFIG
from l0.runtime import async_driver, sync_driver
from l0.runtime.call_runtime import CallRuntime

from .call_options import UNKNOWN_ENDPOINT, CallArguments, CallOptions, call_options
from .source_bodies import AsyncSourceBody, SourceBody
from .source_call_adapter import SourceCallAdapter
from .source_observer import SourceCallObserver
from .stream import Stream, SyncStream
from .stream_state import State


async def run(stream: Any, **options: Unpack[CallArguments]) -> Stream:
    """Request an answer from a source. Return as soon as the source is open. Raises the exception of a failed call.

    ``stream``: a function without arguments that returns a stream, an iterator of text or of items that an adapter
    recognizes, sync or async, an awaitable of these, or a whole answer. The function is called once per attempt. (A
    stream itself is accepted as well, but cannot be requested again.) Options: see `CallArguments`.

    ``asyncio.wait_for(l0.run(...), 30)`` limits only the time until the source is open, and closes all on expiry.
    ``Timeout(total=...)`` also limits the reading. Raises `PolicyError` for an invalid option, and
    `UnknownStreamError` for a source that no adapter recognizes.
    """
    checked = call_options(stream, options, sync=False)
    runtime, call_adapter, state = _begin(checked)
    body = AsyncSourceBody(runtime, call_adapter)
    try:
        await async_driver.request(runtime, body)
    except BaseException as error:
        call_adapter.raised = error if isinstance(error, Exception) else call_adapter.raised
        runtime.close()
        await body.close()
        raise
    return Stream(runtime, body, checked.callbacks, state)


def run_sync(stream: Any, **options: Unpack[CallArguments]) -> SyncStream:
    """Request an answer from a sync source. Options and errors are those of `run`."""
    checked = call_options(stream, options, sync=True)
    runtime, call_adapter, state = _begin(checked)
    body = SourceBody(runtime, call_adapter)
    try:
        sync_driver.request(runtime, body)
    except BaseException as error:
        call_adapter.raised = error if isinstance(error, Exception) else call_adapter.raised
        runtime.close()
        body.close()
        raise
    return SyncStream(runtime, body, checked.callbacks, state)


def _begin(checked: CallOptions) -> tuple[CallRuntime, SourceCallAdapter, State]:
    endpoints = [UNKNOWN_ENDPOINT] * len(checked.policy.legs)
    call = checked.call(endpoints)
    observer = SourceCallObserver(call, endpoints, checked.observers)
    interval = call.policy.check_intervals.checkpoint
    state = State(interval=interval, violations=checked.violations, context=checked.context)
    checked.callbacks.state = state
    call_adapter = SourceCallAdapter(
        checked.sources, checked.callbacks, state, observer, checked.classify, checked.adapter
    )
    runtime = CallRuntime(call, call_adapter, [observer] if observer.observed else [], CONFIG.shared_state)
    state.history = lambda: runtime.machine.failures
    state.delivered_chars = lambda: runtime.answer.delivered_chars
    return runtime, call_adapter, state
