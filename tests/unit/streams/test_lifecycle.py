"""The order of the callbacks, scenario by scenario, the same on both drivers; and that none of them can do harm."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from streams_kit import CALL, DRIVERS, QUICK, Log, OpeningError, Script, Source, Use

from l0 import CheckIntervals, Guardrails, Policy, PolicyError, Retry, StreamInterrupted, l0
from l0.model.failure import Cause

BROKEN = ConnectionResetError("gone")
FORBIDDEN = Guardrails.pattern_rule(["bad"], "not this")
MUSING = "The sea is deep. As an AI language model, I cannot say. "
ODD = Guardrails.pattern_rule(["bad"], "rather not this", severity="warning")


class NoKeyError(Exception):
    """As an SDK words it."""

    status_code = 401


def nothing(stream: Any, events: list[Any]) -> bool:
    return False


def leave(stream: Any, events: list[Any]) -> bool:
    return True


def abort(stream: Any, events: list[Any]) -> bool:
    stream.abort()
    return False


@dataclass(frozen=True)
class Scenario:
    name: str
    scripts: list[list[Script]]
    order: list[str]
    use: Use = nothing
    options: dict[str, Any] = field(default_factory=dict)
    error: type[BaseException] | None = None
    text: str = "ab"


EVENT, TOKEN = "on_event", "on_token"
SCENARIOS = [
    Scenario(
        "success",
        [[["a", "b"]]],
        ["on_start", EVENT, TOKEN, EVENT, TOKEN, "on_checkpoint", EVENT, "on_complete"],
    ),
    Scenario(
        "retry at the opening",
        [[[OpeningError(BROKEN)], ["ab"]]],
        ["on_start", "on_retry", EVENT, TOKEN, EVENT, "on_complete"],
    ),
    Scenario(
        "retry before the first word",
        [[[BROKEN], ["ab"]]],
        ["on_start", "on_retry", EVENT, TOKEN, EVENT, "on_complete"],
    ),
    Scenario(
        "retry of an empty answer",
        [[[], ["ab"]]],
        ["on_start", "on_retry", EVENT, TOKEN, EVENT, "on_complete"],
    ),
    Scenario(
        "retry after a clock of the source",
        [[[TimeoutError()], ["ab"]]],
        ["on_start", "on_timeout", "on_retry", EVENT, TOKEN, EVENT, "on_complete"],
    ),
    Scenario(
        "fallback",
        [[[OpeningError(NoKeyError())]], [["ab"]]],
        ["on_start", "on_fallback", EVENT, TOKEN, EVENT, "on_complete"],
    ),
    Scenario(
        "exact resume",
        [[["a", BROKEN], ["ab"]]],
        ["on_start", EVENT, TOKEN, "on_resume", EVENT, TOKEN, "on_checkpoint", EVENT, "on_complete"],
        options={"resume": "exact"},
    ),
    Scenario(
        "restart",
        [[["x", BROKEN], ["ab"]]],
        ["on_start", EVENT, TOKEN, "on_resume", EVENT, EVENT, TOKEN, EVENT, "on_complete"],
        options={"resume": "restart"},
    ),
    Scenario(
        "a rule before the first word",
        [[["bad", "x"], ["ab"]]],
        ["on_start", "on_violation", "on_retry", EVENT, TOKEN, EVENT, "on_complete"],
        options={"guardrails": FORBIDDEN, "policy": Policy(hold="message")},
    ),
    Scenario(
        "a rule after the last word",
        [[["ab", "c", "bad"], ["ab"]]],
        ["on_start", EVENT, TOKEN, EVENT, TOKEN, "on_checkpoint", EVENT, TOKEN, "on_violation", "on_error"],
        options={"guardrails": FORBIDDEN},
        error=StreamInterrupted,
        text="abcbad",
    ),
    Scenario(
        "a rule that only warns",
        [[["ab", "bad"]]],
        ["on_start", EVENT, TOKEN, EVENT, TOKEN, "on_checkpoint", "on_violation", EVENT, "on_complete"],
        options={"guardrails": ODD},
        text="abbad",
    ),
    Scenario(
        "drift",
        [[[MUSING]]],
        ["on_start", EVENT, TOKEN, "on_drift", EVENT, "on_complete"],
        options={"drift": True},
        text=MUSING,
    ),
    Scenario(
        "no retry left",
        [[[BROKEN]]],
        ["on_start", "on_retry", "on_error"],
        options={"retry": Retry(max_retries=1, base_delay=0.0)},
        error=ConnectionResetError,
        text="",
    ),
    Scenario(
        "a restart that breaks as well",
        [[["x", BROKEN]]],
        ["on_start", EVENT, TOKEN, "on_resume", EVENT, EVENT, TOKEN, "on_error"],
        options={"resume": "restart", "retry": Retry(max_retries=1, base_delay=0.0)},
        error=ConnectionResetError,
        text="x",
    ),
    Scenario(
        "failure after a part",
        [[["ab", BROKEN]]],
        ["on_start", EVENT, TOKEN, "on_error"],
        error=ConnectionResetError,
    ),
    Scenario(
        "failure at the opening",
        [[[OpeningError(NoKeyError())]]],
        ["on_start", "on_error"],
        error=NoKeyError,
        text="",
    ),
    Scenario(
        "a mistake in the source",
        [[["ab", KeyError("mine")]]],
        ["on_start", EVENT, TOKEN, "on_error"],
        error=KeyError,
    ),
    Scenario("abort", [[["ab", "c", "d"]]], ["on_start", EVENT, TOKEN, "on_abort"], use=abort),
    Scenario("early exit", [[["ab", "c", "d"]]], ["on_start", EVENT, TOKEN, "on_abort"], use=leave),
    Scenario(
        "tool call",
        [[["ab", CALL]]],
        ["on_start", EVENT, TOKEN, EVENT, "on_tool_call", EVENT, "on_complete"],
    ),
]


@pytest.mark.parametrize("told", ["plainly", "awaited"])
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_the_order_is_as_documented(scenario: Scenario, driver: str, told: str) -> None:
    if driver == "sync" and told == "awaited":
        told = "plainly"  # the sync API refuses coroutine functions: see below
    log = Log()
    sources = [Source(*scripts) for scripts in scenario.scripts]
    events, error, stream = DRIVERS[driver](
        sources,
        scenario.use,
        check_intervals=CheckIntervals(checkpoint=2),
        **{"retry": QUICK} | scenario.options,
        **log.callbacks(log.aone if told == "awaited" else None),
    )
    assert log.names == scenario.order
    assert (error is None) if scenario.error is None else isinstance(error, scenario.error)
    if stream is not None:
        assert stream.state.content == scenario.text
        assert [stream.state.completed, stream.state.aborted, stream.state.error is not None].count(True) == 1
    assert sum(one.closed for one in sources) == sum(one.made - one.failed for one in sources)
    assert len([event for event in events if event.is_token]) == log.names.count(TOKEN)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_a_failing_callback_changes_nothing(scenario: Scenario, driver: str, caplog: pytest.LogCaptureFixture) -> None:
    def run(**callbacks: Any) -> tuple[list[Any], str]:
        sources = [Source(*scripts) for scripts in scenario.scripts]
        events, error, _ = DRIVERS[driver](sources, scenario.use, **{"retry": QUICK} | scenario.options, **callbacks)
        return events, repr(error)

    def fail(_: Any) -> None:
        raise RuntimeError("a callback of the user's")

    with caplog.at_level(logging.CRITICAL, "l0"):
        assert run(**Log().callbacks(lambda name: fail)) == run()


def test_the_sync_api_refuses_coroutine_functions() -> None:
    async def tell(_: Any) -> None: ...

    with pytest.raises(PolicyError, match="on_token"):
        l0.run_sync(lambda: ["a"], on_token=tell)


@pytest.mark.parametrize("driver", DRIVERS)
def test_attempt_events(driver: str) -> None:
    log = Log()
    first = Source([OpeningError(TimeoutError())], [OpeningError(NoKeyError())])
    DRIVERS[driver]([first, Source(["a"])], nothing, retry=QUICK, **log.callbacks())
    told = dict(log.told)
    assert (told["on_start"].number, told["on_start"].failure) == (1, None)
    assert told["on_timeout"].cause is Cause.NO_HEADERS
    assert (told["on_retry"].number, told["on_retry"].failure) == (2, told["on_timeout"])
    assert (told["on_fallback"].number, told["on_fallback"].leg) == (3, 1)
    assert told["on_fallback"].failure.cause is Cause.AUTHENTICATION


@pytest.mark.parametrize("driver", DRIVERS)
def test_abort_from_a_callback(driver: str) -> None:
    streams: list[Any] = []
    seen: list[str] = []

    def see(text: str) -> None:
        seen.append(text)
        if len(seen) == 2:
            streams[0].abort()

    def remember(stream: Any, events: list[Any]) -> bool:
        if not streams:
            streams.append(stream)
        return False

    events, error, stream = DRIVERS[driver]([Source(["a", "b", "c"])], remember, on_token=see)
    assert (seen, [event.text for event in events], error) == (["a", "b"], ["a"], None)
    assert stream.state.aborted


@pytest.mark.parametrize("driver", DRIVERS)
def test_partial_text_is_on_the_exception(driver: str) -> None:
    _, error, stream = DRIVERS[driver]([Source(["a", "b", BROKEN])], nothing)
    assert isinstance(error, StreamInterrupted)
    assert (error.partial_text, error.reason, error.attempts) == ("ab", "reset", 1)
    assert stream.state.error is error


def test_read_raises_again_for_an_answer_that_failed() -> None:
    async def main() -> None:
        stream = await l0(Source(["a", BROKEN]).aplain)
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await stream.read()

    asyncio.run(main())
