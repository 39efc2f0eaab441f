"""A storm is a few lines and a summary a minute; time is passed in."""

import logging
from collections.abc import Iterator

from l0.telemetry.log_lines import LogLine
from l0.telemetry.log_rate_limiter import LINES, MINUTE, LogRateLimiter


def line(cause: str = "rate_limit", model: str = "gpt-4o", event: str = "failed") -> LogLine:
    fields = {"l0_event": event, "l0_cause": cause, "l0_provider": "openai", "l0_model": model}
    return LogLine(level=logging.WARNING, text=f"{event} {cause}", fields=fields)


def storm(limit: LogRateLimiter, calls: int, seconds: float, *lines: LogLine) -> Iterator[LogLine]:
    for index in range(calls):
        yield from limit.admit(lines[index % len(lines)], index * seconds / calls)


def test_lines_up_to_the_limit_are_written_and_the_last_one_says_so() -> None:
    limit = LogRateLimiter()
    written = [limit.admit(line(), 0.0) for _ in range(LINES + 1)]
    assert [[one.text for one in lines] for lines in written] == [*[["failed rate_limit"]] * LINES, []]
    assert [one.fields.get("l0_limited") for lines in written for one in lines] == [*[None] * (LINES - 1), True]


def test_storm_of_10_000_failing_calls_is_under_100_lines_and_loses_no_count() -> None:
    limit = LogRateLimiter()
    lines = [*storm(limit, 10_000, 600, line(), line("overloaded"), line("rate_limit", event="recovered"))]
    lines += limit.flush()
    assert len(lines) < 100
    told = sum(int(one.fields.get("l0_count", 1)) for one in lines)
    assert told == 10_000


def test_storm_within_a_minute_is_a_few_lines() -> None:
    limit = LogRateLimiter()
    lines = [*storm(limit, 10_000, 59, line())]
    assert len(lines) == LINES
    assert [one.text for one in limit.flush()] == [
        "... and 9,995 more within 59 s: failed (rate_limit): openai gpt-4o 9,995"
    ]
    assert limit.flush() == []


def test_summary_comes_with_the_next_line_of_any_kind_after_the_minute() -> None:
    limit = LogRateLimiter()
    for second in range(20):
        limit.admit(line(model=f"m{second % 6}"), float(second))
    other = line("drift")
    assert limit.admit(other, MINUTE - 1) == [other]
    summary, last = limit.admit(other, MINUTE)
    assert last is other
    assert summary.text == (
        "... and 15 more within 19 s: failed (rate_limit): "
        "openai m5 3, openai m0 3, openai m1 3, openai m2 2, and 2 more"
    )
    assert summary.level == logging.WARNING
    assert summary.fields == {"l0_event": "failed", "l0_cause": "rate_limit", "l0_count": 15}


def test_minute_after_a_storm_has_one_line_and_the_one_after_that_all() -> None:
    limit = LogRateLimiter()
    for _ in range(LINES + 1):
        limit.admit(line(), 0.0)
    assert [len(limit.admit(line(), MINUTE)) for _ in range(2)] == [2, 0]
    assert [len(limit.admit(line(), 3 * MINUTE)) for _ in range(2)] == [2, 0]
    limit.admit(line("reset"), 5 * MINUTE)
    assert [len(limit.admit(line(), 6 * MINUTE)) for _ in range(LINES + 1)] == [1] * LINES + [0]


def test_next_minute_starts_afresh() -> None:
    limit = LogRateLimiter()
    for _ in range(LINES):
        limit.admit(line(), 0.0)
    assert len(limit.admit(line(), MINUTE)) == 1


def test_kinds_do_not_share_a_limit() -> None:
    limit = LogRateLimiter()
    for _ in range(2 * LINES):
        limit.admit(line(), 0.0)
    assert len(limit.admit(line("reset"), 0.0)) == 1
    assert len(limit.admit(line(event="recovered"), 0.0)) == 1


def test_number_of_kinds_and_targets_is_bounded() -> None:
    limit = LogRateLimiter()
    written = sum(len(limit.admit(line(f"rule-{number}", f"m{number}"), 0.0)) for number in range(10_000))
    assert written < 300
    assert all(len(minute.targets) <= 257 for minute in limit._minutes.values())


def test_child_of_a_fork_starts_afresh() -> None:
    limit = LogRateLimiter()
    for _ in range(2 * LINES):
        limit.admit(line(), 0.0)
    limit.renew()
    assert limit.flush() == []
