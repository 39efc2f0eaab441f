"""Exceptions of SDKs survive the way to another process."""

import pickle
from threading import Lock

import anthropic
import httpx2
import openai
import pytest

import l0
from l0.orchestration.portable_error import PortableError

REQUEST = httpx2.Request("POST", "http://provider.invalid/v1")


def sent(error: BaseException) -> BaseException:
    portable = pickle.loads(pickle.dumps(PortableError.of(error, pickle.dumps)))
    return portable.restored()


@pytest.mark.parametrize("sdk", [openai, anthropic], ids=["openai", "anthropic"])
def test_error_of_a_status_keeps_its_parts(sdk):
    response = httpx2.Response(429, headers={"x-request-id": "r"}, content=b'{"error": 1}', request=REQUEST)
    error = sdk.RateLimitError("slow down", response=response, body={"error": 1})
    error.add_note("a note")
    received = sent(error)
    assert type(received) is sdk.RateLimitError
    assert (str(received), received.args, received.__notes__) == (str(error), error.args, error.__notes__)
    assert (received.status_code, received.body, received.request_id) == (429, {"error": 1}, error.request_id)
    assert received.response.text == '{"error": 1}'
    assert received.request.url == REQUEST.url


@pytest.mark.parametrize("sdk", [openai, anthropic], ids=["openai", "anthropic"])
def test_cause_is_kept(sdk):
    error = sdk.APITimeoutError(request=REQUEST)
    error.__cause__ = httpx2.ReadTimeout("late", request=REQUEST)
    error.__cause__.__cause__ = TimeoutError("timed out")
    received = sent(error)
    assert type(received) is sdk.APITimeoutError
    assert type(received.__cause__) is httpx2.ReadTimeout
    assert repr(received.__cause__.__cause__) == "TimeoutError('timed out')"


def test_parts_that_cannot_be_sent_become_text_or_are_left_out():
    error = ValueError("wrong", Lock())
    error.lock, error.number = Lock(), 3
    received = sent(error)
    assert received.args == ("wrong", str(error.args[1]))
    assert vars(received) == {"number": 3}


def test_class_that_cannot_be_sent_becomes_a_runtime_error():
    class Local(ValueError):
        pass

    received = sent(Local("wrong"))
    assert (type(received), received.args) == (RuntimeError, (f"{Local.__qualname__}: wrong",))


def test_group_keeps_its_errors():
    response = httpx2.Response(429, request=REQUEST)
    error = openai.RateLimitError("slow down", response=response, body=None)
    received = sent(l0.NoAnswerError("none of 2", [error, ExceptionGroup("more", [ValueError("wrong")])]))
    assert type(received) is l0.NoAnswerError
    limited, more = received.exceptions
    assert (type(limited), limited.status_code) == (openai.RateLimitError, 429)
    assert [repr(one) for one in more.exceptions] == ["ValueError('wrong')"]


class Choosy(Exception):
    def __new__(cls, *, option):
        return super().__new__(cls, option)

    def __init__(self, *, option):
        super().__init__(f"not {option}")


def test_error_that_cannot_be_made_again_becomes_a_runtime_error():
    received = sent(Choosy(option=3))
    assert (type(received), received.args) == (RuntimeError, ("Choosy: not 3",))
