"""Define `StreamInterrupted`, the only exception class of L0 that users of the SDKs get."""

from __future__ import annotations

import sys
import traceback
from itertools import islice
from typing import Any

from .policy_error import PolicyError

_MAX_PLACES = 4
"""Maximum number of traceback places in a log line."""
_ERRORS_OF_CODE = frozenset({ImportError, ModuleNotFoundError, AttributeError, NameError, SyntaxError})


class StreamInterrupted(Exception):  # noqa: N818 - a public name of the guide
    """An answer that broke off after its headers: by truncation, a stall, a lost connection, an error event or a rule.

    A raised instance is also an instance of the SDK's class and of the class that the bare SDK raises for such a
    failure, so existing ``except`` clauses keep working.

    ``partial_text``: the delivered text of the first choice. ``reason``: the value of a `Cause`, such as
    ``"truncated"``; ``"aborted"`` if the program itself stopped a stream of the explicit API. ``attempts``: the number
    of requests sent for the call. ``request_id``: the provider's id of the
    last request; ``None`` if it sent none. ``rule``: the name of the rule that rejected the answer; empty if none did.
    """

    partial_text: str = ""
    reason: str = ""
    attempts: int = 1
    request_id: str | None = None
    rule: str = ""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else self.reason


def describe_attempts(attempts: int, max_attempts: int | None = None, stop: str = "") -> str:
    """Return a text with the number of attempts, their maximum, and ``stop``: the reason for no further attempt."""
    if not attempts:
        count = "no request was sent"
    else:
        count = f"attempt {attempts}" if max_attempts is None else f"attempt {attempts} of {max_attempts}"
    return f"{count}. No further attempt: {stop}" if stop else count


def describe_break(reason: str, message: str, *, characters: int, ending: str, delivered: int | None = None) -> str:
    """Return the message of a `StreamInterrupted`.

    ``message``: describes the failure, such as the limit that was exceeded, with its value. ``characters``: length of
    the text that had arrived. ``delivered``: length of the part that the user received; ``None`` for all of it.
    ``ending``: the result of `describe_attempts`.
    """
    part = ""
    if delivered is not None and delivered < characters:
        part = f" ({f'the first {delivered}' if delivered else 'none'} of them delivered)"
    return f"The answer was interrupted ({reason}): {message}. {characters} characters had arrived{part}; {ending}."


def fill(error: StreamInterrupted, state: dict[str, Any]) -> StreamInterrupted:
    """Set the fields of a new or unpickled error."""
    for name, value in state.items():
        setattr(error, name, value)  # not `__dict__`: httpx errors keep their request behind a property
    return error


def raised() -> str:
    """Describe the exception that is being handled, for a log: its class and the innermost places of its traceback.

    Its message and its causes are left out: an error of a callback or a provider may quote keys, prompts and answers.
    """
    error = sys.exception()
    return "no exception" if error is None else _with_places(error, type(error).__qualname__, _MAX_PLACES)


def raised_with_text(max_places: int = _MAX_PLACES) -> str:
    """As `raised`, with the message of an error whose message cannot quote a secret.

    Such are Python's own errors about code (a module, a name or an attribute that is missing, a syntax error) and
    `PolicyError`, which hides credentials. A subclass of Python's errors may be anybody's, and have any message.
    """
    error = sys.exception()
    return "no exception" if error is None else _with_places(error, class_and_text(error), max_places)


def class_and_text(error: BaseException) -> str:
    """Return the class of an error, and its message if that cannot quote a secret (see `raised_with_text`)."""
    safe = type(error) in _ERRORS_OF_CODE or isinstance(error, PolicyError)
    return type(error).__qualname__ + (f": {error}" if safe else "")


def class_and_place(error: BaseException) -> str:
    """Return the result of `class_and_text`, and the innermost place of the traceback."""
    return _with_places(error, class_and_text(error), 1)


def _with_places(error: BaseException, text: str, max_places: int) -> str:
    frames = [*traceback.walk_tb(error.__traceback__)]
    places = (f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}" for frame, line in reversed(frames))
    return f"{text} at {', called at '.join(islice(places, max_places))}"
