"""The one error of our own that can reach a user: an answer that broke after a part of it was handed over."""

from __future__ import annotations

import sys
import traceback
from itertools import islice
from typing import Any

_PLACES = 4
"""Places of a traceback that a log line names."""


class StreamInterrupted(Exception):  # noqa: N818 - it names what happened, as the SDKs' users read it
    """An answer was broken off, by truncation, a stall or a lost connection.

    What is raised is always also an instance of the class that the bare SDK raises for such a break, so that existing
    ``except`` clauses keep working.

    ``partial_text``: what the model had said of the first choice. ``reason``: the cause, from a bounded set (for
    example ``"truncated"``). ``attempts``: how many requests were made for the call.
    """

    partial_text: str = ""
    reason: str = ""
    attempts: int = 1

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else self.reason


def describe_break(reason: str, message: str, *, characters: int, attempts: int) -> str:
    """The text of a `StreamInterrupted`."""
    tried = f"{attempts} attempt{'s' if attempts != 1 else ''}"
    return f"The stream was interrupted ({reason}: {message}) after {characters} characters and {tried}."


def fill(error: StreamInterrupted, state: dict[str, Any]) -> StreamInterrupted:
    """Give a freshly made or unpickled error its fields."""
    for name, value in state.items():
        setattr(error, name, value)  # a transport's error keeps its request behind a property
    return error


def raised() -> str:
    """Describe the exception that is being handled, for a log: its class, and the innermost places of its traceback.

    Its text is left out, and so is what it was raised from: a callback's error, or the provider's error behind it, may
    quote keys, prompts and answers.
    """
    error = sys.exception()
    if error is None:
        return "no exception"
    frames = [*traceback.walk_tb(error.__traceback__)]
    places = (f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}" for frame, line in reversed(frames))
    return f"{type(error).__qualname__} at {', called at '.join(islice(places, _PLACES))}"
