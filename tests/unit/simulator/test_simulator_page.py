"""docs/simulator.md: its table lists all words, its examples run, and its options exist."""

import inspect
import re
from pathlib import Path

import pytest

from l0.simulator.answers import Answer
from l0.simulator.script_grammar import parse
from l0.simulator.server import Simulator
from l0.simulator.vocabulary import WordDescription, help_text, words
from l0.testing import simulator

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TABLE = PAGE.partition("| text | effect |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()


@pytest.mark.parametrize("word", words(), ids=lambda word: word.usage.split()[0])
def test_table_has_the_row_of_the_word(word: WordDescription) -> None:
    assert f"| `{word.usage}` | {word.effect} |" in TABLE
    assert word.effect.endswith(".")


def test_table_has_no_other_row() -> None:
    assert len(TABLE) == len(words())
    assert all(word.usage in help_text() for word in words())


def test_first_example_runs() -> None:
    exec(compile(EXAMPLES[0], "docs/simulator.md", "exec"), {})


def test_rules_of_the_page_are_valid(sim: Simulator) -> None:
    exec(compile(EXAMPLES[1], "docs/simulator.md", "exec"), {"sim": sim, "re": re, "Answer": Answer})


def test_pytest_example_runs(pytester: pytest.Pytester) -> None:
    client = "\n@pytest.fixture\ndef client():\n    return None\n"
    pytester.makepyfile(EXAMPLES[2].replace("OpenAI()", "OpenAI(max_retries=0)") + client)
    pytester.runpytest_inprocess("-W", "ignore::ResourceWarning").assert_outcomes(passed=2)


def test_named_options_and_texts_exist() -> None:
    parameters = inspect.signature(simulator).parameters
    assert {"api_keys", "models", "context_tokens", "requests_per_minute", "input_tokens_per_minute"} <= set(parameters)
    assert all(re.search(rf"\b{name}\b", PAGE) for name in ("seed", "delays", *list(parameters)[5:]))
    for text in ("answer story | cut at_event=3", "status 503 rate=0.1"):
        assert text in PAGE
        assert parse(text)
