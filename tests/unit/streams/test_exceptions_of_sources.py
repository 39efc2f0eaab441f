"""Exceptions of a source before its first text: the call is retried, falls back, or raises at once."""

from typing import Any

import pytest
from streams_kit import DRIVERS, QUICK, OpeningError, Source

from l0 import PolicyError, StreamInterrupted, l0
from l0.types import Cause


class BotoError(Exception):
    """An exception that L0 has no rule for."""


class Final(Exception):
    """A class that allows no subclass."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        raise TypeError("final")


UNKNOWN = [BotoError("x"), OSError("x"), RuntimeError("x"), ValueError("x"), Final("x")]
MISTAKES = [TypeError("x"), AttributeError("x"), NameError("x"), AssertionError("x"), KeyError("x")]


def nothing(stream: Any, events: list[Any]) -> bool:
    return False


def text(events: list[Any]) -> str:
    return "".join(event.text for event in events if event.is_token)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("error", UNKNOWN, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("opening", [True, False], ids=["opening", "first read"])
def test_unknown_exception_before_the_first_text_is_retried(driver: str, error: Exception, opening: bool) -> None:
    source = Source([OpeningError(error) if opening else error], ["whole"])
    events, raised, _ = DRIVERS[driver]([source], nothing, retry=QUICK)
    assert (raised, text(events), source.made) == (None, "whole", 2)


@pytest.mark.parametrize("driver", DRIVERS)
def test_unknown_exception_counts_against_attempts(driver: str) -> None:
    error = BotoError("x")
    source = Source([OpeningError(error)])
    _, raised, _ = DRIVERS[driver]([source], nothing, retry=QUICK)
    assert raised is error
    assert source.made == 1 + QUICK.attempts


@pytest.mark.parametrize("driver", DRIVERS)
def test_unknown_exception_goes_to_the_fallback(driver: str) -> None:
    first, second = Source([OpeningError(BotoError("x"))]), Source(["whole"])
    events, raised, _ = DRIVERS[driver]([first, second], nothing, retry=QUICK)
    assert (raised, text(events), second.made) == (None, "whole", 1)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("error", MISTAKES, ids=lambda error: type(error).__name__)
def test_mistake_in_the_program_is_raised_at_once(driver: str, error: Exception) -> None:
    first, second = Source([error]), Source(["whole"])
    _, raised, _ = DRIVERS[driver]([first, second], nothing, retry=QUICK)
    assert raised is error
    assert (first.made, second.made) == (1, 0)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("error", UNKNOWN, ids=lambda error: type(error).__name__)
def test_unknown_exception_after_the_first_text_carries_that_text(driver: str, error: Exception) -> None:
    events, raised, _ = DRIVERS[driver]([Source(["half", error])], nothing, retry=QUICK)
    assert isinstance(raised, StreamInterrupted)
    assert isinstance(raised, type(error)) or type(error) is Final
    assert (text(events), raised.partial_text, raised.reason) == ("half", "half", "source_error")
    assert raised.__cause__ is error


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("error", "cause", "made"),
    [
        (KeyError("x"), "server_error", 2),
        (KeyError("x"), Cause.RATE_LIMIT, 2),
        (ConnectionError("x"), Cause.BAD_REQUEST, 1),
        (KeyError("x"), None, 1),
        (ConnectionError("x"), None, 2),
    ],
    ids=repr,
)
def test_classify_decides_first(driver: str, error: Exception, cause: Any, made: int) -> None:
    seen: list[Exception] = []
    source = Source([OpeningError(error)], ["whole"])

    def classify(raised: Exception) -> Any:
        seen.append(raised)
        return cause

    _, raised, _ = DRIVERS[driver]([source], nothing, retry=QUICK, classify=classify)
    assert raised is (None if made == 2 else error)
    assert (source.made, seen) == (made, [error])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("answer", ["no such cause", 5, ZeroDivisionError()], ids=repr)
def test_classify_that_fails_is_ignored(driver: str, answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    def classify(error: Exception) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    source = Source([ConnectionError("x")], ["whole"])
    events, raised, _ = DRIVERS[driver]([source], nothing, retry=QUICK, classify=classify)
    assert (raised, text(events)) == (None, "whole")
    assert "classify failed" in caplog.text


@pytest.mark.parametrize("value", [5, "rate_limit"])
def test_classify_must_be_a_function(value: Any) -> None:
    with pytest.raises(PolicyError, match="classify"):
        l0.run_sync(Source(["a"]).plain, classify=value)


async def classify_later(error: Exception) -> None: ...


class ClassifyLater:
    async def __call__(self, error: Exception) -> None: ...


@pytest.mark.parametrize("classify", [classify_later, ClassifyLater()])
def test_classify_must_not_be_async(classify: Any) -> None:
    with pytest.raises(PolicyError, match="classify"):
        l0.run_sync(Source(["a"]).plain, classify=classify)
