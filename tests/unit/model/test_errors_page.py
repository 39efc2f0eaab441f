"""The table in docs/errors.md lists every value of `StreamInterrupted.reason`."""

import re
from pathlib import Path

from l0.model.failure import CATEGORIES, MEANINGS, Cause

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"


def row(cause: Cause) -> str:
    return f"| `{cause.value}` | {CATEGORIES[cause].value} | {MEANINGS[cause]} |"


def test_every_reason_is_documented() -> None:
    lines = re.sub(r"`(Timeout\.\w+)`", r"\1", PAGE.read_text("utf-8")).splitlines()
    missing = [row(cause) for cause in Cause if row(cause) not in lines]
    assert not missing, "add to docs/errors.md:\n" + "\n".join(missing)


def test_every_documented_reason_exists() -> None:
    lines = PAGE.read_text("utf-8").split("| `reason` |")[1].splitlines()
    names = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert names == [cause.value for cause in Cause]
