"""Describe the words of the text grammar, for the help of `l0 simulate` and the documentation."""

import inspect
from typing import NamedTuple

from . import script_grammar
from .usage import usage


class WordDescription(NamedTuple):
    """One word: its use with all options, and its effect."""

    usage: str
    effect: str


def words() -> list[WordDescription]:
    """Return all words, answers first, then faults in the order of their definition."""
    answers = [
        WordDescription(script_grammar.answer_usage(word), effect) for word, effect in script_grammar.ANSWERS.items()
    ]
    faults = [
        WordDescription(usage(name, make), " ".join((inspect.getdoc(make) or "").split("\n\n")[0].split()))
        for name, make in script_grammar.constructors().items()
    ]
    return answers + faults


def help_text() -> str:
    """Return the table of all words as plain text."""
    lines = "\n".join(f"  {word.usage}\n      {word.effect}" for word in words())
    return f"answers and faults, joined by |; every fault also takes rate=0.3 (share of requests) and times=2:\n{lines}"
