"""The judge of `make fuzz`: it has nothing against answers as they are, and sees what a fuzzer is to find."""

from typing import Any

import bytes_oracle
import pytest
from bytes_oracle import APIS, MARK, difference
from bytes_seeds import body, seeds
from installed import needs_responses

from l0.runtime.body_parser import WireParser
from l0.simulator.answers import Answer
from l0.wire.sse import Splitter

API = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[needs_responses] if name == "responses" else []) for name in APIS]
)


def given(name: str, text: bytes | None = None, size: int = 0) -> bytes:
    """An input of the fuzzer's."""
    return bytes((APIS.index(name), size)) + (body(name, Answer(text="Hi é.")) if text is None else text)


@API
def test_answers_as_they_are_read_alike_whole_and_in_pieces(name):
    own = [seed for seed in seeds() if APIS[seed[0]] == name]
    assert len(own) == 9
    assert [difference(seed) for seed in own] == [None] * 9


@API
@pytest.mark.parametrize(
    "change",
    [
        lambda complete_answer: complete_answer[: len(complete_answer) // 2],
        lambda complete_answer: complete_answer + complete_answer,
        lambda complete_answer: MARK + complete_answer,
        lambda complete_answer: complete_answer.replace(b"\n", b"\r\n"),
        lambda complete_answer: complete_answer.replace(b"Hi", b"\xff"),
        lambda complete_answer: complete_answer.replace(b"event: ", b"data: "),
        lambda _: b"data: {\n\n",
        lambda _: b"",
    ],
)
def test_oracle_compares_broken_answers(name, change):
    complete_answer = body(name, Answer(text="Hi é."))
    assert difference(given(name, change(complete_answer), size=1)) is None


def test_less_than_an_input_is_none():
    assert difference(b"") is None
    assert difference(b"\0") is None


class Losing(WireParser):
    """Loses what comes second in a read."""

    def feed(self, raw: bytes) -> list[Any]:
        items = super().feed(raw)
        return items[:1] + items[2:]


class Changing(WireParser):
    """Says the same with one word more."""

    def feed(self, raw: bytes) -> list[Any]:
        return [item.model_copy(update={"l0": True}) for item in super().feed(raw)]


class Refusing(WireParser):
    """Takes good JSON for bad."""

    def feed(self, raw: bytes) -> list[Any]:
        return super().feed(raw.replace(b"}]", b"}"))


@API
@pytest.mark.parametrize("defect", [Losing, Changing])
def test_a_defect_is_seen(name, defect, monkeypatch):
    monkeypatch.setattr(bytes_oracle, "WireParser", defect)
    assert difference(given(name)) is not None


def test_oracle_detects_a_rejection_that_the_sdk_accepts(monkeypatch):
    monkeypatch.setattr(bytes_oracle, "WireParser", Refusing)
    found = difference(given("chat"))
    assert found is not None
    assert "and the SDK sees none" in found


def test_what_depends_on_the_cuts_is_seen(monkeypatch):
    def one_short(self: Splitter, raw: bytes) -> bytes | None:
        return unharmed(self, raw[:-1] if len(raw) == 5 else raw)

    unharmed = Splitter.fast_input
    monkeypatch.setattr(Splitter, "fast_input", one_short)
    assert difference(given("chat")) is None
    assert difference(given("chat", size=5)) is not None
