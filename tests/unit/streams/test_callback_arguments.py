"""Callbacks take what they need by the names of their parameters, on both drivers."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from streams_kit import CALL, DRIVERS, QUICK, OpeningError, Source

from l0 import CheckIntervals, Guardrails, PolicyError, l0
from l0.model.call import Call
from l0.model.call_events import AttemptEnded, CallEnded, CallEvent
from l0.streams.callbacks import NAMES

pytestmark = pytest.mark.anyio

BROKEN = ConnectionResetError("gone")
ODD = Guardrails.pattern_rule(["bad"], "rather not this", severity="warning")
CONTEXT = {"request": "r-1"}

Seen = list[Any]
CASES: list[tuple[str, Callable[[Seen], Any], Seen]] = [
    ("on_start", lambda seen: lambda number, leg: seen.append((number, leg)), [(1, 0)]),
    ("on_start", lambda seen: lambda: seen.append("begun"), ["begun"]),
    ("on_retry", lambda seen: lambda attempt, reason: seen.append((attempt.number, reason)), [(2, "connection")]),
    ("on_retry", lambda seen: lambda *, reason, state: seen.append((reason, state.attempts)), [("connection", 2)]),
    ("on_retry", lambda seen: lambda reason: seen.append(reason.upper()), ["CONNECTION"]),
    ("on_retry", lambda seen: lambda anything, context: seen.append((anything.number, context)), [(2, CONTEXT)]),
    ("on_token", lambda seen: lambda text, state: seen.append((text, state.tokens)), [("a", 1), ("bad", 2)]),
    ("on_token", lambda seen: lambda piece: seen.append(piece * 2), ["aa", "badbad"]),
    ("on_token", lambda seen: lambda text, state="kept": seen.append((text, state)), [("a", "kept"), ("bad", "kept")]),
    ("on_token", lambda seen: lambda *given: seen.append(given), [("a",), ("bad",)]),
    ("on_token", lambda seen: seen.append, ["a", "bad"]),
    ("on_event", lambda seen: lambda text, data: seen.append((text, data)) if text else None,
     [("a", None), ("bad", None)]),
    ("on_tool_call", lambda seen: lambda name, arguments: seen.append((name, arguments)),
     [("look", {"up": 1})]),
    ("on_checkpoint", lambda seen: lambda text, tokens: seen.append((text, tokens)), [("abad", 2)]),
    ("on_violation", lambda seen: lambda rule, at: seen.append((rule, at)), [("pattern", 1)]),
    ("on_complete", lambda seen: lambda content, context: seen.append((content, context)), [("abad", CONTEXT)]),
    ("on_complete", lambda seen: lambda state, *, tokens: seen.append((state.completed, tokens)), [(True, 2)]),
]  # fmt: skip


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("name", "make", "expected"), CASES)
async def test_a_callback_gets_what_its_parameters_name(
    driver: str, name: str, make: Callable[[Seen], Any], expected: Seen
) -> None:
    seen: Seen = []
    source = Source([OpeningError(BROKEN)], [CALL] if name == "on_tool_call" else ["a", "bad"])
    options: dict[str, Any] = {
        name: make(seen), "retry": QUICK, "guardrails": ODD, "context": CONTEXT,
        "check_intervals": CheckIntervals(checkpoint=2),
    }  # fmt: skip
    if driver == "sync":
        l0.run_sync(source.plain, **options).read()
    else:
        await (await l0(source.aplain, **options)).read()
    assert seen == expected


@pytest.mark.parametrize("driver", DRIVERS)
async def test_the_error_of_a_call_comes_with_its_state(driver: str) -> None:
    seen: Seen = []
    options: dict[str, Any] = {"on_error": lambda e, state: seen.append((e, state.attempts)), "retry": QUICK}
    source = Source(["a", BROKEN])
    with pytest.raises(ConnectionError):
        if driver == "sync":
            list(l0.run_sync(source.plain, **options))
        else:
            [event async for event in await l0(source.aplain, **options)]
    assert [(isinstance(error, ConnectionError), attempts) for error, attempts in seen] == [(True, 1)]


async def test_a_coroutine_function_is_awaited() -> None:
    seen: Seen = []

    async def on_retry(number: int, reason: str) -> None:
        seen.append((number, reason))

    await (await l0(Source([BROKEN], ["ok"]).aplain, on_retry=on_retry, retry=QUICK)).read()
    assert seen == [(2, "reset")]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_that_a_callback_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(PolicyError, match=rf"{name}.*state, context.*not of nonsense"):
        await l0(Source(["a"]).aplain, **{name: lambda value, nonsense: nonsense})


# -- the event stream, and the context ------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", DRIVERS)
async def test_the_observers_of_a_call_get_its_events_with_its_context(driver: str) -> None:
    seen: list[tuple[Mapping[str, Any], CallEvent]] = []

    def observer(call: Call, event: CallEvent) -> None:
        seen.append((call.context, event))

    options: dict[str, Any] = {"retry": QUICK, "context": CONTEXT, "observers": [observer]}
    source = Source([OpeningError(BROKEN)], ["ok"])
    if driver == "sync":
        l0.run_sync(source.plain, **options).read()
    else:
        await (await l0(source.aplain, **options)).read()
    assert all(context == CONTEXT for context, _ in seen)
    ended = [event for _, event in seen if isinstance(event, AttemptEnded)]
    assert [one.action for one in ended] == ["retry", None]
    assert isinstance(seen[-1][1], CallEnded)


async def test_another_call_has_no_observers() -> None:
    seen: Seen = []
    await (await l0(Source(["a"]).aplain, observers=[lambda call, event: seen.append(event)])).read()
    count = len(seen)
    await (await l0(Source(["a"]).aplain)).read()
    assert count > 0
    assert len(seen) == count


async def test_the_context_is_a_copy_that_nobody_changes() -> None:
    given = {"request": "r-1"}
    stream = await l0(Source(["a"]).aplain, context=given)
    given["request"] = "r-2"
    assert stream.state.context == {"request": "r-1"}
    with pytest.raises(TypeError):
        stream.state.context["request"] = "r-3"  # type: ignore[index]
    await stream.read()
