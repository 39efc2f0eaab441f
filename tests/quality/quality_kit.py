"""The input of the detection tests: the labelled texts, and the recorded answers as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from recordings import TRAFFIC


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A labelled text. ``part``: development, held_out or unseen. ``labels``: the types of drift, none if clean."""

    id: str
    language: str
    part: str
    labels: frozenset[str]
    text: str


@lru_cache(maxsize=1)
def labelled() -> tuple[Sample, ...]:
    """The texts that the project ships. ``then``: the text after the drift, repeated ``times`` times."""
    lines = Path(__file__).with_name("drift.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(
        Sample(
            id=row["id"],
            language=row["language"],
            part=row["part"],
            labels=frozenset(row["labels"]),
            text=row["text"] + row.get("then", "") * row.get("times", 1),
        )
        for row in map(json.loads, lines)
    )


@lru_cache(maxsize=1)
def recorded_answers() -> tuple[tuple[str, str], ...]:
    """Return name and text of every recorded answer that holds text; empty if the folder is absent."""
    index = TRAFFIC / "index.json"
    if not index.exists():
        return ()
    rows = json.loads(index.read_text(encoding="utf-8"))
    answers = ((row["file"], "".join(_texts((TRAFFIC / row["file"]).read_bytes()))) for row in rows)
    return tuple((name, text) for name, text in answers if text)


def _texts(body: bytes) -> Iterator[str]:
    """The pieces of the first choice's text, in any dialect."""
    for line in body.decode("utf-8", "replace").splitlines():
        if line.startswith("data:") and line[5:].strip().startswith("{"):
            try:
                yield _text(json.loads(line[5:]))
            except ValueError:
                continue  # some bodies were recorded broken


def _text(event: dict[str, Any]) -> str:
    if event.get("type") == "response.output_text.delta":
        return str(event["delta"])
    if event.get("type") == "content_block_delta":
        return str(event["delta"].get("text") or "")
    choice: dict[str, Any] = next((one for one in event.get("choices") or () if one.get("index") == 0), {})
    return str((choice.get("delta") or {}).get("content") or choice.get("text") or "")
