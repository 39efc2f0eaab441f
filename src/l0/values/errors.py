"""The one error of our own that can reach a user: an answer that broke after a part of it was handed over."""

from __future__ import annotations

from typing import Any


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
