"""Exceptions that are ours, the SDK's and the transport's at once, and that travel."""

import copy
import json
import pickle
import ssl

import anthropic
import openai
import pytest
from installed import httpx

import l0
from l0.stainless.interruptions import interruption, interruption_class

REQUEST = httpx.Request("POST", "https://api.example.com/v1/x", json={"a": 1})
CASES = [
    (openai.APIConnectionError, None),
    (openai.APITimeoutError, None),
    (openai.APIConnectionError, httpx.RemoteProtocolError),
    (anthropic.APIConnectionError, httpx.ReadError),
    (anthropic.APITimeoutError, httpx.ReadTimeout),
]
each_sdk = pytest.mark.parametrize(("sdk", "transport"), CASES, ids=lambda kind: kind and kind.__qualname__)


def made(sdk, transport):
    sample = sdk(request=REQUEST)
    sample.message, sample.args = "it broke", ("it broke",)
    return interruption(sample, *([transport] if transport else ()), partial_text="Hel", reason="truncated", attempts=2)


@each_sdk
def test_every_except_clause_of_the_bare_sdk_catches_it(sdk, transport):
    error = made(sdk, transport)
    assert isinstance(error, l0.StreamInterrupted)
    for kind in filter(None, (sdk, transport, *sdk.__mro__, *(transport.__mro__ if transport else ()))):
        assert isinstance(error, kind)
    with pytest.raises(sdk):
        raise error


@each_sdk
@pytest.mark.parametrize("travel", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_it_travels(sdk, transport, travel):
    error = made(sdk, transport)
    error.add_note("l0: attempt 1 failed")
    other = travel(error)
    assert type(other) is type(error)
    assert (str(other), other.args) == ("it broke", ("it broke",))
    assert (other.partial_text, other.reason, other.attempts) == ("Hel", "truncated", 2)
    assert other.__notes__ == ["l0: attempt 1 failed"]
    assert other.request.url == REQUEST.url


@each_sdk
def test_interruption_message(sdk, transport):
    error = made(sdk, transport)
    assert str(error) == "it broke"
    assert type(error).__module__ == "l0"
    assert type(error).__name__ == f"Interrupted{sdk.__name__}"
    assert error.message == "it broke"
    assert error.request is REQUEST


def test_one_class_for_one_combination():
    first = interruption_class((openai.APITimeoutError,))
    assert interruption_class((openai.APITimeoutError,)) is first
    assert interruption_class((openai.APITimeoutError, httpx.ReadTimeout)) is not first


def test_a_class_above_another_adds_nothing():
    assert interruption_class((openai.APITimeoutError, openai.APIError, Exception)).__bases__ == (
        l0.StreamInterrupted,
        openai.APITimeoutError,
    )
    assert interruption_class((openai.APIError, openai.APITimeoutError)).__bases__[1:] == (openai.APITimeoutError,)


class Final(Exception):
    def __init_subclass__(cls) -> None:
        raise TypeError("this class is final")


@pytest.mark.parametrize(
    ("kinds", "kept"),
    [
        ((ConnectionResetError, UnicodeDecodeError), ConnectionResetError),  # both have their own layout
        ((openai.APIError, Final), openai.APIError),
        ((Final,), None),
    ],
    ids=["layouts", "final", "only a final one"],
)
def test_a_class_that_cannot_be_combined_is_left_out(kinds, kept):
    assert interruption_class(kinds).__bases__ == ((l0.StreamInterrupted, kept) if kept else (Exception,))


def leaked_of(action):
    with pytest.raises(Exception) as raised:  # noqa: PT011 - any class
        action()
    return raised.value


LEAKED = {
    "malformed": leaked_of(lambda: json.loads('{"a": ')),
    "UTF-8": leaked_of(b"a\xff".decode),
    "OSError": ConnectionResetError(104, "reset"),
    "TLS": ssl.SSLEOFError(8, "eof"),
}
ATTRIBUTES = ("doc", "pos", "lineno", "encoding", "object", "start", "end", "errno", "strerror")


@pytest.mark.parametrize("travel", [lambda e: e, lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("leaked", LEAKED.values(), ids=LEAKED)
def test_attributes_of_the_leaked_error_are_kept(leaked, travel):
    sample = openai.APIConnectionError(request=REQUEST)
    sample.args = ("it broke",)
    error = travel(interruption(sample, type(leaked), original=leaked, reason="malformed"))
    assert isinstance(error, openai.APIConnectionError)
    assert isinstance(error, type(leaked))
    assert (str(error), error.reason) == ("it broke", "malformed")
    for name in ATTRIBUTES:
        assert getattr(error, name, None) == getattr(leaked, name, None)


def test_interruption_without_arguments_has_its_reason():
    error = l0.StreamInterrupted()
    assert (str(error), error.partial_text, error.attempts) == ("", "", 1)
    error.reason = "stalled"
    assert str(error) == "stalled"
