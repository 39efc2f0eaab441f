"""The words of other libraries for options lead to options that exist."""

import inspect
import re

import pytest

import l0
from l0.model import option_meanings
from l0.slo import objective
from l0.streams.call_options import CallArguments

_ELSEWHERE = {"client", "the", "one", "a", "timeout", "l0"}
"""The first words of sentences and of calls, and options of the SDKs' clients and of the policy."""


def options_of(owner: str) -> set[str]:
    """Return the names of the options of a public class or function."""
    if owner == "run":
        return set(CallArguments.__annotations__)
    return set(inspect.signature(getattr(l0, owner, None) or getattr(objective, owner)).parameters)


CASES = [(owner, word, meaning) for owner, words in option_meanings._FOREIGN.items() for word, meaning in words.items()]


@pytest.mark.parametrize(("owner", "word", "meaning"), CASES, ids=[f"{owner}.{word}" for owner, word, _ in CASES])
def test_word_of_another_library_leads_to_an_option(owner, word, meaning):
    options = options_of(owner)
    assert word not in options, "an option of this name exists, so the word is never looked up"
    first = re.match(r"\w+", meaning)[0]
    assert first in options | _ELSEWHERE
    for kind, inner in re.findall(r"l0\.(\w+)\((\w+)=", meaning):
        assert inner in options_of(kind)
    for name in re.findall(r"l0\.(\w+)", meaning):
        assert hasattr(l0, name)


def test_words_of_the_policy_are_found_in_its_parts():
    for part, kind in option_meanings._PARTS.items():
        assert part in options_of("Policy") | {"policy"}
        assert option_meanings._options(kind)


def test_misspelt_name_of_a_part_leads_to_the_part():
    assert option_meanings.meant("Policy", "max_retries", sorted(options_of("Policy"))) == (
        "did you mean retry=l0.Retry(max_retries=...)? "
    )
