"""The `l0 explain` command: explain one recorded call step by step."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from l0.model.text_safety import one_line

from .inputs import InputError

if TYPE_CHECKING:
    from l0.recording.recording import RecordedCall

DESCRIPTION = """Explain one recorded call step by step: each attempt, the signals that the engine got, its decisions,
and the field of the policy, with its value, that decided. Exit code: 0, or 2 if there is no such call."""
_WIDTH = 80
_MARGIN = 23
"""Columns of the time and of the subject."""
_LONGEST_TEXT = 2_000
"""Characters of one text."""


def add_arguments(explain: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = explain.add_argument
    add(
        "call",
        metavar="CALL",
        help="the id of a call, the beginning of it, its trace id, the provider's id of a request (req_...), last (to "
        "begin), slowest, or failed (the last to fail)",
    )
    add("path", type=Path, nargs="?", metavar="FILE|FOLDER", help="a recording, or a folder (default: $L0_RECORD)")


def explain(args: argparse.Namespace) -> int:
    """Print the story of a call. Raises `InputError` if there is no such call."""
    from l0.recording.recording import Recording, RecordingError

    path = args.path or os.environ.get("L0_RECORD")
    if not path:
        raise InputError("give the file or the folder of the recording, or set L0_RECORD")
    try:
        with Recording.open(path) as recording:
            print(*story_lines(recording.call(args.call)), sep="\n")
    except RecordingError as error:
        raise InputError(str(error)) from error
    return 0


def story_lines(recorded: RecordedCall) -> Iterator[str]:
    """Yield the lines of the story, of at most 80 columns."""
    from l0.recording.call_story import call_story
    from l0.recording.decision_rerun import difference

    call = recorded.call
    began = datetime.fromtimestamp(recorded.started_unix, UTC)
    trace = f", trace {recorded.trace_id}" if recorded.trace_id else ""
    kind = "streaming" if call.streaming else "not streaming"
    yield from _wrapped("", f"call {recorded.id} of {began:%Y-%m-%d %H:%M:%S} UTC{trace}")
    yield from _wrapped("", f"{call.provider} {call.operation} {call.model}, {kind}, to {call.origin}")
    last_subject = ""
    for event in call_story(recorded):
        subject = event.subject if event.subject != last_subject else ""
        last_subject = event.subject
        yield from _wrapped(f"{event.at:9.3f} s  {subject}", event.text)
        if event.field:
            yield from _wrapped("", f"[{event.field}]", _MARGIN)
    yield from _wrapped("", difference(recorded))


def _wrapped(start: str, text: str, margin: int = 0) -> Iterator[str]:
    """Yield the lines of ``text``, broken at spaces; the first one begins with ``start``.

    ``margin``: columns before each line if ``start`` is empty.
    """
    margin = _MARGIN if start else margin
    lines = wrap(one_line(text, _LONGEST_TEXT), _WIDTH - margin, break_on_hyphens=False)
    for number, line in enumerate(lines):
        yield f"{'' if number else start:{margin}}{line}" if margin else line
