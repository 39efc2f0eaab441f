"""Retry a window with more context if it failed because of the answer's content."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from l0.model.failure import CATEGORIES, Category, Cause
from l0.model.option_names import refuses_unknown_options

from .. import tasks
from ..checks import check_count, check_function, check_share
from .chunks import Chunk


def is_content_failure(error: Exception) -> bool:
    """Return True if the answer itself was bad (empty, drifting, against a rule); false if the network failed."""
    try:
        cause = Cause(getattr(error, "reason", ""))
    except ValueError:
        return False
    return CATEGORIES[cause] in (Category.CONTENT, Category.MODEL)


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Settings for retries with more context.

    ``attempts``: maximum number of retries per chunk. ``share``: context that each retry adds on each side, as a share
    of the chunk's length (above 0, up to 1). ``when``: function of the error, sync or async; the chunk is retried if it
    returns true. Raises `PolicyError` for an invalid field.
    """

    attempts: int = 1
    share: float = 0.25
    when: Callable[[Exception], bool | Awaitable[bool]] = is_content_failure

    def __post_init__(self) -> None:
        check_count("Restore.attempts", self.attempts)
        check_share("Restore.share", self.share)
        check_function("Restore.when", self.when, "an error", optional=False)


async def answer(function: Callable[[Chunk], Any], chunk: Chunk, restore: Restore | None) -> Any:
    """Run ``function`` on a window, and on wider ones if it fails. Return the first answer, or raise the last error."""
    retries = 0
    while True:
        try:
            return await tasks.answer(partial(function, chunk.widened(restore.share * retries) if restore else chunk))
        except Exception as error:
            if restore is None or retries == restore.attempts:
                raise
            if not await tasks.answer(partial(restore.when, error)):
                raise
        retries += 1
