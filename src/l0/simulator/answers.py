"""Define the content of simulated answers, independent of any dialect."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import cycle, islice
from random import Random
from typing import Any, Literal

from l0.model.option_names import refuses_unknown_options

Stop = Literal["stop", "length", "content_filter"]

MAX_TOKENS = 1_000_000

# A piece is roughly a token: a short word with its leading space, one punctuation mark, or white space.
_PIECE = re.compile(r"\s?\w{1,8}|\s?[^\w\s]|\s+")

# Parts of filler sentences. They are combined at random, so that no rule against repetition reports the filler.
_WHO = "The harbour|A pilot|The night ferry|Every second boat|The old crane|A flock of gulls|The first net|Her brother"
_DOES = "leaves before|waits for|carries|argues over|has forgotten|comes back with|pays for|never mentions"
_WHAT = "the morning tide|forty crates of fish|a letter from town|the price of ice|two lamps|bad weather|the quay"
_WHEN = "by eight|once the fog has lifted|without a word|as it does in June|until noon|when the bell rings"
_SENTENCES = 1_000
"""Number of filler sentences, after which they repeat."""


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedToolCall:
    """One function call. `arguments` is JSON text as a model writes it."""

    name: str
    arguments: str = "{}"

    def parsed_arguments(self) -> Any:
        """Return the arguments as a value, for a dialect that sends them so; an empty object if they are not JSON."""
        try:
            return json.loads(self.arguments)
        except ValueError:  # they may be broken on purpose
            return {}


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer.

    `tokens` > 0 replaces `text` by that many filler tokens (at most 1,000,000), generated lazily. `alternatives` are
    the texts of the second and later choices; further choices get `text` with their number appended. `images`: the
    number of images, which Responses sends as `image_generation_call`, and chat as OpenRouter does.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[SimulatedToolCall, ...] = ()
    alternatives: tuple[str, ...] = ()
    stop: Stop = "stop"
    tokens: int = 0
    images: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.tokens <= MAX_TOKENS:
            raise ValueError(f"tokens: {self.tokens!r} given, allowed is 0 to {MAX_TOKENS:,}")

    def limited(self, max_tokens: int | None) -> "Answer":
        """Return the answer cut off after that many tokens per choice; the whole answer for None.

        The tokens are spent on reasoning first, then on text, refusal and tool calls.
        """
        if max_tokens is None or self.output_tokens() <= max_tokens:
            return self
        reasoning = _beginning(self.reasoning, max_tokens)
        left = max_tokens - count(reasoning)
        text, tokens = _beginning(self.text, left), min(self.tokens, left)
        alternatives = tuple(_beginning(each, left) for each in self.alternatives)
        left -= tokens or count(text)
        refusal = _beginning(self.refusal, left)
        left -= count(refusal)
        calls = list[SimulatedToolCall]()
        for call in self.tool_calls:
            left -= count(call.name)
            if left < 0:
                break
            calls.append(replace(call, arguments=_beginning(call.arguments, left)))
            left -= count(calls[-1].arguments)
        return Answer(
            text=text,
            reasoning=reasoning,
            refusal=refusal,
            tool_calls=tuple(calls),
            alternatives=alternatives,
            stop="length",
            tokens=tokens,
            images=self.images,
        )

    def text_of(self, choice: int) -> str:
        """Return the complete text of a choice."""
        if self.tokens:
            return "".join(filler(self.tokens))
        if choice == 0 or not self.text:
            return self.text
        if choice <= len(self.alternatives):
            return self.alternatives[choice - 1]
        return f"{self.text} ({choice + 1})"

    def pieces_of(self, choice: int) -> Iterator[str]:
        """Return the text of a choice as token-like pieces. Joined, they are the text."""
        return filler(self.tokens) if self.tokens else pieces(self.text_of(choice))

    def output_tokens(self, choices: int = 1) -> int:
        """Return the number of tokens of all choices, as usage reports it: one per piece."""
        shared = (self.reasoning, self.refusal, *(call.name + call.arguments for call in self.tool_calls))
        each = sum(count(text) for text in shared)
        return each * choices + sum(self.tokens or count(self.text_of(i)) for i in range(choices))


def _beginning(text: str, max_pieces: int) -> str:
    return "".join(islice(pieces(text), max_pieces))


def pieces(text: str) -> Iterator[str]:
    """Split text into token-like pieces. Joined, they are the text."""
    return (match.group() for match in _PIECE.finditer(text))


def filler(tokens: int) -> Iterator[str]:
    """Return that many pieces of filler text."""
    return islice(cycle(_filler_pieces()), tokens)


@lru_cache(maxsize=256)
def count(text: str) -> int:
    """Return the number of pieces of a text."""
    return sum(1 for _ in pieces(text))


@lru_cache(maxsize=1)
def _filler_pieces() -> tuple[str, ...]:
    choose = Random(_SENTENCES).choice
    slots = [slot.split("|") for slot in (_WHO, _DOES, _WHAT, _WHEN)]
    sentences = (" ".join(map(choose, slots)) for _ in range(_SENTENCES))
    return tuple(pieces("".join(f" {sentence}." for sentence in sentences)))
