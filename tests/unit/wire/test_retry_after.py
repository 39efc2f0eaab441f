"""Headers by which a server requests a wait, converted to seconds."""

import email.utils
from datetime import UTC, datetime, timedelta, timezone
from string import printable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.wire import retry_after
from l0.wire.retry_after import requested_wait, server_wait

NOW = 1_800_000_000.0


@pytest.fixture
def now(monkeypatch):
    """Fix the clock at `NOW`."""
    monkeypatch.setattr(retry_after.time, "time", lambda: NOW)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after-ms": "-1", "retry-after": "9"}, 9.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": email.utils.formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": email.utils.formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "Fri, 99 Foo 2027 99:99:99 GMT"}, None),
    ],
)
def test_retry_after_headers(headers, expected, now):
    assert server_wait(headers) == expected
    assert requested_wait(headers) == expected


@pytest.mark.parametrize("huge", ["Fri, 31 Dec 99999999999 23:59:59 GMT", "Mon, 01 Jan 0000 00:00:00 GMT"])
def test_retry_after_date_out_of_range_is_ignored(huge):
    wait = server_wait({"retry-after": huge})
    assert wait is None or wait >= 0.0


# Rate-limit reset headers


def moment(seconds: float, offset: int = 0) -> str:
    """Return an RFC 3339 time that many seconds after `NOW`, in a time zone ``offset`` hours east of Greenwich."""
    zone = UTC if offset == 0 else timezone(timedelta(hours=offset))
    return datetime.fromtimestamp(NOW + seconds, zone).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),
        ("1d2h", 93_600.0),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("0s", 0.0),
        (" 1s ", 1.0),
        ("10", 10.0),
        ("0.5", 0.5),
        ("", None),
        ("s", None),
        ("1", 1.0),
        ("1 s", None),
        ("1s!", None),
        ("-1s", None),
        ("1x", None),
        ("soon", None),
        ("9" * 400 + "s", None),
    ],
)
def test_openai_reset_durations(text, seconds):
    headers = {"x-ratelimit-reset-requests": text}
    assert server_wait(headers) == (None if seconds is None else pytest.approx(seconds))
    assert requested_wait(headers) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (moment(30), 30.0),
        (moment(30, offset=5), 30.0),
        (moment(0.5), 0.5),
        (moment(-30), 0.0),
        ("2027-01-15T08:00:01z", 1.0),
        ("2027-01-15T08:00:01", None),  # no time zone
        ("2027-01-15", None),
        ("0001-01-01T00:00:00+23:59", 0.0),
        ("2027-13-15T08:00:01Z", None),
        ("1800000030", None),
        ("soon", None),
        ("", None),
    ],
)
def test_anthropic_reset_times(text, seconds, now):
    headers = {"anthropic-ratelimit-requests-reset": text}
    assert server_wait(headers) == (None if seconds is None else pytest.approx(seconds))
    assert requested_wait(headers) is None


@pytest.mark.parametrize(
    ("remaining", "expected"),
    [
        ((None, None), 360.0),
        (("0", "0"), 360.0),
        (("0", "10"), 1.0),
        (("10", "0"), 360.0),
        (("10", "10"), None),
        (("0", None), 360.0),
        ((None, "10"), 1.0),
        (("-2", "10"), 1.0),
        (("many", "0.0"), 360.0),
        (("nan", "many"), None),
    ],
)
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_rate_limit_wait_is_the_longest_of_the_exhausted_limits(provider, remaining, expected, now):
    if provider == "openai":
        names = [("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests", "1s")]
        names += [("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens", "6m0s")]
    else:
        start = "anthropic-ratelimit-"
        names = [(f"{start}requests-reset", f"{start}requests-remaining", moment(1))]
        names += [(f"{start}output-tokens-reset", f"{start}output-tokens-remaining", moment(360))]
    headers = {reset: text for reset, _, text in names}
    headers |= {left: count for (_, left, _), count in zip(names, remaining, strict=True) if count is not None}
    assert server_wait(headers) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-ratelimit-reset-requests": "1s", "retry-after": "9"}, 9.0),
        ({"x-ratelimit-reset-requests": "1s", "retry-after-ms": "20"}, 0.02),
        ({"x-ratelimit-reset-requests": "1s", "retry-after": "soon"}, 1.0),
        ({"x-ratelimit-limit-requests": "1s", "x-request-id": "1s"}, None),
        ({"anthropic-ratelimit-requests-limit": moment(1)}, None),
    ],
)
def test_retry_after_takes_precedence_over_a_reset_header(headers, expected):
    assert server_wait(headers) == expected


units = st.sampled_from(["d", "h", "m", "s", "ms", "us", "µs", "ns"])
texts = (
    st.text(max_size=40)
    | st.text(printable, max_size=20)
    | st.lists(st.tuples(st.floats(0, 1e6).map(str) | st.integers().map(str), units)).map(
        lambda x: "".join(map("".join, x))
    )
    | st.floats().map(str)
    | st.datetimes().map(lambda at: at.isoformat() + "Z")
    | st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat())
    | st.tuples(st.integers(-9999, 99999), st.text(printable, max_size=6)).map(
        lambda x: f"Fri, 31 Dec {x[0]} 23:59:59 {x[1]}"
    )
)
names = st.sampled_from(
    [
        "retry-after",
        "retry-after-ms",
        "x-ratelimit-reset-requests",
        "x-ratelimit-reset-tokens",
        "x-ratelimit-reset-",
        "x-ratelimit-remaining-requests",
        "anthropic-ratelimit-tokens-reset",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit--reset",
        "X-RateLimit-Reset-Tokens",
    ]
)


@given(st.dictionaries(names, texts, max_size=5))
@settings(max_examples=400)
def test_wait_of_arbitrary_headers_is_never_negative(headers):
    wait = server_wait(headers)
    assert wait is None or 0.0 <= wait < float("inf")


@given(st.integers(0, 99), st.integers(0, 59), st.floats(0, 59.999).map(lambda s: round(s, 3)))
@settings(max_examples=80)
def test_reset_duration_is_the_sum_of_its_parts(hours, minutes, seconds):
    text = f"{hours}h{minutes}m{seconds:.3f}s"
    assert server_wait({"x-ratelimit-reset-tokens": text}) == pytest.approx(hours * 3600 + minutes * 60 + seconds)
