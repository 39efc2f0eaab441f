"""The headers by which a server asks to wait, as seconds."""

import email.utils

import pytest

from l0.wire import waits
from l0.wire.waits import server_wait

NOW = 1_800_000_000.0


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
def test_waits(headers, expected, monkeypatch):
    monkeypatch.setattr(waits.time, "time", lambda: NOW)
    assert server_wait(headers) == expected


@pytest.mark.parametrize("huge", ["Fri, 31 Dec 99999999999 23:59:59 GMT", "Mon, 01 Jan 0000 00:00:00 GMT"])
def test_a_date_that_no_clock_knows_is_no_error(huge):
    wait = server_wait({"retry-after": huge})
    assert wait is None or wait >= 0.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-ratelimit-reset-requests": "12ms"}, 0.012),
        ({"x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-requests": "1s", "retry-after": "9"}, 9.0),
    ],
)
def test_reset_headers_of_openai_say_it_too_where_nothing_better_does(headers, expected):
    assert server_wait(headers) == pytest.approx(expected)
