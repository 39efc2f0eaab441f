"""Measures: length of a text, and the prefix or suffix of a given length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.model.policy import PolicyError
from l0.orchestration.windows.text_measures import CharacterMeasure, EstimatedTokenMeasure, TokenMeasure, measure

UNITS = [
    CharacterMeasure(),
    EstimatedTokenMeasure(),
    TokenMeasure(len),
    TokenMeasure(str.split),
    TokenMeasure(lambda text: [*text.encode()]),
]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: type(unit).__name__)
@given(text=st.text(max_size=300), limit=st.integers(0, 80))
def test_measure_head_and_tail_fit(unit, text, limit):
    assert unit.count(text[: unit.head(text, limit)]) <= limit
    assert unit.count(text[len(text) - unit.tail(text, limit) :]) <= limit


@pytest.mark.parametrize("unit", [UNITS[0], UNITS[1], UNITS[2]], ids=lambda unit: type(unit).__name__)
@given(text=st.text("abc ", max_size=300), limit=st.integers(1, 60))
def test_measure_head_and_tail_are_the_longest_that_fit(unit, text, limit):
    head = unit.head(text, limit)
    assert head == len(text) or unit.count(text[: head + 1]) > limit


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("four", 1), ("fives", 2), ("東京", 2), ("\ud800", 1)])
def test_token_estimate_is_a_quarter_of_the_bytes(text, tokens):
    assert EstimatedTokenMeasure().count(text) == tokens


def test_tokens_of_a_real_vocabulary():
    pytest.importorskip("bpe_openai", reason="the extra `text` is not installed")
    assert measure(None).count("hello <|endoftext|> world") == measure("o200k_base").count("hello <|endoftext|> world")
    assert measure("o200k_base").count(" hello" * 500) == 500
    assert measure("cl100k_base").count("hello world") == 2


def test_tokens_of_a_very_long_text():
    pytest.importorskip("bpe_openai", reason="the extra `text` is not installed")
    assert measure(None).count("ab " * 500_000) >= 500_000


@pytest.mark.parametrize("tokenizer", ["no_such_vocabulary", 7, b"estimate"])
def test_invalid_tokenizer_raises_policy_error(tokenizer):
    if isinstance(tokenizer, str):
        pytest.importorskip("bpe_openai", reason="the extra `text` is not installed")
    with pytest.raises(PolicyError, match=r"Window\.tokenizer"):
        measure(tokenizer)


def test_measure_without_the_text_extra_is_the_estimate(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bpe_openai", None)
    monkeypatch.setattr("l0.orchestration.windows.text_measures.find_spec", lambda name: None)
    assert isinstance(measure(None), EstimatedTokenMeasure)
    with pytest.raises(ImportError, match=r"l0-otel\[text\]"):
        measure("gpt2")
