"""Once more, with more of what stands around it: for windows whose answer failed because it lacked context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from l0.orchestration import tasks
from l0.orchestration.running import check_count
from l0.values.failures import CATEGORIES, Category, Cause
from l0.values.policy import PolicyError

from .chunks import Chunk


def is_content_failure(error: Exception) -> bool:
    """Whether an answer came and was found wanting: empty, off the rails, against a rule. Not: the network broke."""
    try:
        cause = Cause(getattr(error, "reason", ""))
    except ValueError:
        return False
    return CATEGORIES[cause] in (Category.CONTENT, Category.MODEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """How windows are tried again: up to ``attempts`` times, each with ``share`` of the window's length more context
    on either side, where ``when`` says that a failure is of the kind that context may mend."""

    attempts: int = 1
    share: float = 0.25
    when: Callable[[Exception], bool] = is_content_failure

    def __post_init__(self) -> None:
        check_count("Restore.attempts", self.attempts)
        if not 0 < self.share <= 1:
            raise PolicyError("Restore.share", self.share, "a number above 0, at most 1")


async def answer(function: Callable[[Chunk], Any], chunk: Chunk, restore: Restore | None) -> Any:
    """What ``function`` makes of a window, or of a wider one."""
    wider = 0
    while True:
        try:
            return await tasks.answer(partial(function, chunk.widened(restore.share * wider) if restore else chunk))
        except Exception as error:
            if restore is None or wider == restore.attempts or not restore.when(error):
                raise
        wider += 1
