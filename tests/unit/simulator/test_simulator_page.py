"""docs/simulator.md: its examples run, and its options exist. The help describes all words."""

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


@pytest.mark.parametrize("word", words(), ids=lambda word: word.usage.split()[0])
def test_help_describes_the_word_in_a_sentence(word: WordDescription) -> None:
    assert f"  {word.usage}\n      {word.effect}" in help_text()
    assert word.effect.endswith(".")


def test_first_example_runs() -> None:
    exec(compile(EXAMPLES[0], "docs/simulator.md", "exec"), {})


def test_rules_of_the_page_are_valid(sim: Simulator) -> None:
    exec(compile(EXAMPLES[1], "docs/simulator.md", "exec"), {"sim": sim, "re": re, "Answer": Answer})


def test_pytest_example_runs(pytester: pytest.Pytester) -> None:
    client = "\n@pytest.fixture\ndef client():\n    return None\n"
    # The client of the example is not closed: it must be collected while its warning is ignored.
    pytester.makeconftest("import gc\n\ndef pytest_runtest_teardown():\n    gc.collect()\n")
    pytester.makepyfile(EXAMPLES[2].replace("OpenAI()", "OpenAI(max_retries=0)") + client)
    pytester.runpytest_inprocess("-W", "ignore::ResourceWarning").assert_outcomes(passed=2)


def test_named_options_and_texts_exist() -> None:
    parameters = inspect.signature(simulator).parameters
    assert {"api_keys", "models", "context_tokens", "requests_per_minute", "input_tokens_per_minute"} <= set(parameters)
    assert all(re.search(rf"\b{name}\b", PAGE) for name in ("seed", "delays", *list(parameters)[5:]))
    for text in ("answer story | cut at_event=3", "status 503 rate=0.1"):
        assert text in PAGE
        assert parse(text)
