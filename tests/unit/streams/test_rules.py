"""Guardrails and drift in the explicit API: what they find is told, and acted on."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from streams_kit import DRIVERS, QUICK, Log, OpeningError, Source

from l0 import CheckIntervals, Event, EventType, Guardrails, Policy, PolicyError, Retry, StreamInterrupted, l0
from l0.model.policy import HoldMode
from l0.types import ResumePoint

EVERY = CheckIntervals(guardrails=1, drift=1)
FORBIDDEN = Guardrails.pattern_rule([re.compile("secret")], "no secrets")
TURNING = ["As an AI language model, ", "I cannot ", "answer that. "] * 3


def nothing(stream: Any, events: list[Any]) -> bool:
    return False


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_violation_before_the_first_word_is_retried(driver: str) -> None:
    log = Log()
    source = Source(["a secret"], ["all clear"])
    _, error, stream = DRIVERS[driver](
        [source], nothing, guardrails=[FORBIDDEN], check_intervals=EVERY, retry=QUICK, **log.callbacks()
    )
    assert error is None
    assert stream.state.content == "all clear"
    assert log.names[:4] == ["on_start", "on_violation", "on_retry", "on_event"]
    assert [violation.rule for violation in stream.state.violations] == [FORBIDDEN.name]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_violation_after_delivery_raises(driver: str) -> None:
    log = Log()
    events, error, _ = DRIVERS[driver](
        [Source(["a ", "secret ", "here"])], nothing, guardrails=[FORBIDDEN], check_intervals=EVERY, **log.callbacks()
    )
    assert isinstance(error, StreamInterrupted)
    assert error.reason == "guardrail_violation"
    assert "secret" not in "".join(event.text for event in events)
    assert log.names[-2:] == ["on_violation", "on_error"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_violation_after_delivery_restarts_if_the_user_asked_for_it(driver: str) -> None:
    source = Source(["a ", "secret ", "here"], ["all ", "clear"])
    events, error, stream = DRIVERS[driver](
        [source], nothing, guardrails=[FORBIDDEN], check_intervals=EVERY, retry=QUICK, resume="restart"
    )
    assert error is None
    assert [event.text or event.type.value for event in events] == ["a ", "restart", "all ", "clear", "complete"]
    assert (stream.state.content, stream.state.restarts) == ("all clear", 1)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_violation_after_delivery_says_how_much_had_arrived(driver: str) -> None:
    source = Source(["secret ", "and ", "more"])
    every = CheckIntervals(guardrails=3)
    events, error, _ = DRIVERS[driver](
        [source], nothing, guardrails=[FORBIDDEN], check_intervals=every, retry=QUICK, resume="restart"
    )
    assert isinstance(error, StreamInterrupted)
    assert source.made == 1 + QUICK.attempts
    assert "".join(event.text for event in events[-2:]) == "secret and "
    assert "15 characters had arrived (the first 11 of them delivered); attempt 4" in str(error)
    assert error.partial_text == "secret and "


REJECTED: dict[str, tuple[list[Any], HoldMode, int]] = {
    "checked at every piece": ([*"a secret b"], "first_content", 1),
    "checked at times": ([*"a secret b"], "first_content", 3),
    "checked at the end": ([*"a secret b"], "first_content", 99),
    "before the first word": (["a secret b"], "first_content", 1),
    "nothing delivered": ([*"a secret b"], "message", 1),
    "a window held back": ([*"a secret b"], "verified", 1),
    "broken within a match": ([*"a long text and a secr", ConnectionResetError("gone")], "verified", 1),
    "all delivered": ([*"a b", ConnectionResetError("gone")], "message", 1),
}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("wrapped", [False, True], ids=["text", "events"])
@pytest.mark.parametrize("rejected", REJECTED)
def test_partial_text_is_what_the_user_received(driver: str, wrapped: bool, rejected: str) -> None:
    items, hold, every = REJECTED[rejected]
    # Text is delivered by the fast loop of the drivers, and events are not.
    script = [Event(EventType.TOKEN, item) if wrapped and isinstance(item, str) else item for item in items]
    events, error, _ = DRIVERS[driver](
        [Source(script)],
        nothing,
        guardrails=[Guardrails.pattern_rule([re.compile("secret")], "no secrets", span=6)],
        policy=Policy(hold=hold),
        check_intervals=CheckIntervals(guardrails=every),
        retry=Retry(max_retries=0),
    )
    assert isinstance(error, StreamInterrupted)
    assert error.partial_text == "".join(event.text for event in events)
    assert hold != "verified" or "s" not in error.partial_text


class TextSource(Source):
    """A source that takes the text so far, and continues it."""

    def plain(self, text: str) -> Iterator[Any]:  # type: ignore[override]
        return super().plain()

    def aplain(self, text: str) -> AsyncIterator[Any]:  # type: ignore[override]
        return super().aplain()


GONE = ConnectionResetError("gone")
RESUMED: dict[str, tuple[str, list[list[Any]], str]] = {
    "exact": ("exact", [[*"a long text, a secr", GONE], [*"a long text, a secret"]], "a long text, a "),
    "exact, broken again": ("exact", [[*"a long text, a secr", GONE], [*"a long text, a", GONE]], "a long text, a "),
    "splice": ("splice", [[*"a long text, a secr", GONE], [*"et that is told"]], "a long text, a "),
    "not opened": (
        "splice",
        [[*"a long text, a secr", GONE], [OpeningError(ConnectionResetError("gone"))]],
        "a long text, a ",
    ),
    "restart": ("restart", [[*"a long text, a secr", GONE], [*"one more secret"]], "one more "),
    "restart, not announced": ("restart", [[*"a long text, a secr", GONE], [*"sec", GONE]], "a long text, a "),
    "restart, not opened": (
        "restart",
        [[*"a long text, a secr", GONE], [OpeningError(ConnectionResetError("gone"))]],
        "a long text, a ",
    ),
}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("resumed", RESUMED)
def test_text_that_is_not_verified_stays_held_across_attempts(driver: str, resumed: str) -> None:
    resume, scripts, longest = RESUMED[resumed]
    events, error, _ = DRIVERS[driver](
        [(TextSource if resume == "splice" else Source)(*scripts)],
        nothing,
        guardrails=[Guardrails.pattern_rule([re.compile("secret")], "no secrets", severity="fatal", span=6)],
        policy=Policy(hold="verified"),
        check_intervals=CheckIntervals(guardrails=1),
        retry=Retry(max_retries=1, attempts=1, base_delay=0),
        resume=resume,
    )
    restarts = [at for at, event in enumerate(events) if event.type is EventType.RESTART]
    text = "".join(event.text for event in events[restarts[-1] if restarts else 0 :])
    assert isinstance(error, StreamInterrupted)
    assert error.partial_text == text
    assert len("a lon") <= len(text) <= len(longest)
    assert longest.startswith(text)


@pytest.mark.parametrize("driver", DRIVERS)
def test_partial_text_of_a_restart_that_announces_nothing(driver: str) -> None:
    """Until the user is told that the answer starts again, it has the text of the answer before."""
    points: list[ResumePoint] = []
    events, error, _ = DRIVERS[driver](
        [Source([*"a secret b"], [ConnectionResetError("gone")])],
        nothing,
        guardrails=[FORBIDDEN],
        policy=Policy(on_resume=points.append),
        check_intervals=EVERY,
        retry=Retry(max_retries=1, base_delay=0),
        resume="restart",
    )
    assert isinstance(error, StreamInterrupted)
    assert [event.type for event in events] == [EventType.TOKEN] * len("a secre")
    assert error.partial_text == "a secre"
    assert [point.at for point in points] == [len("a secre")]


@pytest.mark.parametrize("driver", DRIVERS)
def test_drift_has_a_callback_of_its_own(driver: str) -> None:
    log = Log()
    _, _, stream = DRIVERS[driver]([Source(TURNING)], nothing, drift=True, check_intervals=EVERY, **log.callbacks())
    assert "on_drift" in log.names
    assert "on_violation" not in log.names
    assert {violation.rule.partition(".")[0] for violation in stream.state.violations} == {"drift"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"guardrails": ["json"]}, "guardrails"),
        ({"guardrails": "severe"}, "guardrails"),
        ({"drift": "yes"}, "drift"),
        ({"fallbacks": ["gpt-4o"]}, "fallbacks"),
        ({"resume": "prefill"}, "resume"),
        ({"resume": "splice"}, "stream"),
        ({"timeout": 5}, "timeout"),
        ({"retry": 3}, "retry"),
        ({"on_token": "print"}, "on_token"),
        ({"policy": "interactive"}, "policy"),
        ({"colour": "blue"}, "colour"),
    ],
    ids=str,
)
def test_bad_options_are_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(PolicyError, match=named):
        l0.run_sync(lambda: ["a"], **options)
