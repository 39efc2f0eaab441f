"""`loads` equals `json.loads` for all bytes."""

import json
import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.wire.json_decode import loads

ODDITIES = [
    b"", b" ", b" 1 ", b"-0", b"-0.0", b"1E5", b"1.5e3", b"01", b"1.", b".5", b"+1", b"-", b"1e400", b"1e-400",
    b"123456789012345678901234567890", b"1" * 4300, b"1" * 4301, b"123456789012345678901234567890.5",
    b"NaN", b"Infinity", b"-Infinity", b"-NaN", b"nan", b"inf", b"null", b"nul", b"True", b"truefalse",
    b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\ude00\\ud83d"', b'"\\u12"', b'"\x01"', b'"\x7f"', b'"\\x41"', b'"\\u0000"',
    b'"\xed\xa0\x80"', b'"\xff"', b'"\xc0\x80"', b"\xef\xbb\xbf1", b"\x0c1", b"1\x00",
    b'{"a":1,"b":2,"a":3}', b'{"a":1,}', b"[1,]", b"{a:1}", b"{'a':1}", b"[1 2]", b'{"a"}', b"[", b'{"a":', b"1 2",
    b"[" * 150 + b"]" * 150, b"[" * 300 + b"]" * 300, b'{"a":' * 300 + b"1" + b"}" * 300, b"[" * 100_000,
    '{"é":"你好"}'.encode(), b'{"":0}', b'{"\\u0061":1,"a":2}', b"//1", b"1//",
]  # fmt: skip

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def outcome(decode: Any, payload: bytes) -> Any:
    try:
        return decode(payload)
    except (ValueError, RecursionError) as error:
        return type(error), str(error)


def same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    return bool(one == other)


def both(payload: bytes) -> tuple[Any, Any]:
    """Return the result or the error of `loads` and of the standard library."""
    return outcome(loads, payload), outcome(lambda raw: json.loads(raw.decode("utf-8")), payload)


@pytest.mark.parametrize("payload", ODDITIES, ids=lambda payload: repr(payload[:24]))
def test_json_edge_cases(payload: bytes) -> None:
    assert same(*both(payload))


@given(json_values, st.booleans(), st.sampled_from([None, 2]))
def test_json_values(value: Any, ensure_ascii: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)
    assert same(*both(text.encode("utf-8", "surrogatepass")))


@given(st.floats(allow_nan=False))
def test_json_floats_keep_all_bits(value: float) -> None:
    assert same(loads(repr(value).replace("inf", "Infinity").encode()), value)


@given(st.binary(max_size=40))
def test_json_of_arbitrary_bytes(payload: bytes) -> None:
    assert same(*both(payload))


@given(st.text(alphabet='0123456789+-.eE"\\u{}[],:tfn rals\t\n', max_size=24))
def test_json_of_arbitrary_text(text: str) -> None:
    assert same(*both(text.encode()))


def test_json_integer_limit_equals_the_standard_library() -> None:
    digits = sys.get_int_max_str_digits() + 1
    with pytest.raises(ValueError, match="limit"):
        loads(b"[" + b"9" * digits + b"]")
