"""The probe of an SDK's loop finds its properties by feeding it events."""

import functools

import anthropic
import openai
import pytest

from l0.stainless.sdk import Sdk, StreamLoop

NAMED = frozenset(
    {
        *(b"completion", b"message_start", b"message_delta", b"message_stop"),
        *(b"content_block_start", b"content_block_delta", b"content_block_stop"),
    }
)
EXPECTED = {
    "openai 3.": StreamLoop(plain=True, names=None, wraps=frozenset(), typed=False, leaks=False),
    "openai 1.": StreamLoop(
        plain=True, names=None, wraps=NAMED | {b"response.probe", b"probe"}, typed=False, leaks=True
    ),
    "anthropic 2.": StreamLoop(plain=False, names=None, wraps=frozenset(), typed=False, leaks=True, status_errors=True),
    "anthropic 0.": StreamLoop(plain=False, names=NAMED, wraps=frozenset(), typed=True, leaks=True, status_errors=True),
}


@pytest.mark.parametrize("module", [openai, anthropic], ids=lambda module: module.__name__)
def test_the_loop_of_the_installed_sdk(module):
    sdk = Sdk(module.__name__)
    assert sdk.loop is not None
    known = f"{module.__name__} {module.__version__[:2]}"
    if known not in EXPECTED:
        pytest.skip(f"the loop of {known}x is not written down")
    assert sdk.loop == EXPECTED[known]


@pytest.mark.parametrize("name", ["Stream", "AsyncStream"])
def test_a_foreign_loop_is_not_taken_for_the_sdks(monkeypatch, name):
    def foreign(self):
        yield from ()

    monkeypatch.setattr(getattr(openai._streaming, name), "__stream__", foreign)
    assert Sdk("openai").loop is None


def test_a_loop_that_does_something_else_is_not_known(monkeypatch):
    @functools.wraps(openai._streaming.Stream.__stream__)
    def doubling(self):
        for item in type(self)._iter_events(self):
            yield from (item, item)

    del doubling.__wrapped__
    monkeypatch.setattr(openai._streaming.Stream, "__stream__", doubling)
    assert Sdk("openai").loop is None or not Sdk("openai").loop.plain


def test_a_loop_that_breaks_under_the_probe_is_not_known(monkeypatch):
    class Broken:
        def __init__(self):
            raise RuntimeError("another shape")

    monkeypatch.setattr(openai._streaming, "SSEDecoder", Broken)
    assert Sdk("openai").loop is None


@pytest.mark.parametrize("module", [openai, anthropic], ids=lambda module: module.__name__)
def test_the_transport_is_the_one_that_streams_are_made_of(module):
    sdk = Sdk(module.__name__)
    assert sdk.transport.__name__ in ("httpx", "httpx2")
    assert sdk.transports[0] is sdk.transport
    response = sdk.transport.Response(200)
    assert sdk.transport_of(response) is sdk.transport
    assert sdk.transport_of(object()) is sdk.transport


def test_unknown_transport_is_reported(monkeypatch):
    sdk = Sdk("openai")
    for name in ("httpx", "httpx2"):
        monkeypatch.delattr(openai._streaming, name, raising=False)
    with pytest.raises(LookupError, match=f"openai {openai.__version__} streams over neither"):
        _ = sdk.transport
