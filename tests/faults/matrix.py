"""The whole catalogue in every way to resume, and its judge: whole, honest, or as it was sent; never silently wrong.

What must come of a fault without a policy stands in `rows`. `make faults` prints what is judged here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ends import mismatch
from faults_kit import DIALECTS, Seen, Stage, body_of, difference
from resume_kit import RERUN, Api, Got
from rows import AFTER, FINISH, ROWS, End, Row

import l0
from l0.simulator import corpus
from l0.simulator.faults import Fault
from l0.simulator.ledger import Reply

MODES = ("off", "exact", "prefill", "splice")
ANSWER = "explain_rain"
LATE = AFTER + 14
"""Events of that answer after which there is text enough to splice."""
APIS: Mapping[str, Api] = {api.name: api for api in RERUN}
_USAGE = {"stream_options": {"include_usage": True}}
REQUESTED: Mapping[str, dict[str, Any]] = {
    "chat": _USAGE,
    "completions": _USAGE,
    "messages": {"model": "claude-haiku-4-5"},  # it continues its own text
}
"""Parameters in addition to the smallest request."""
LIMITS = l0.Timeout(initial_token=1_000, inter_token=1_000)
"""Long enough that a healthy attempt keeps them on a loaded machine: a missed one would count as a wrong answer."""


def _silent(number: int, name: str, fault: Fault, at: int | None, end: End) -> Row:
    placed = Fault(parts=tuple(replace(part, at_event=at) for part in fault.parts))
    return Row(number=number, name=name, make=lambda _: placed, end=end)


TIMED = (
    _silent(22, "no headers", Fault.no_headers(), None, End.HEALED),
    _silent(23, "no first byte", Fault.stall(), 0, End.HEALED),
    _silent(34, "silence, after content", Fault.stall(), AFTER, End.BROKEN),
    _silent(35, "pings only, before content", Fault.pings(interval=0.02), 0, End.HEALED),
    _silent(35, "pings only, after content", Fault.pings(interval=0.02), AFTER, End.BROKEN),
)
"""Silence, which only clocks can end: without them the SDKs wait for ten minutes, and so does l0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One call. ``got``: its result, in a word. ``wrong``: the result that must not be; ``None`` if all is well."""

    row: Row
    dialect: str
    sync: bool
    mode: str
    requests: int
    got: str
    error: str
    wrong: str | None


def every() -> list[tuple[Row, str]]:
    """All that there is, in the order of the catalogue."""
    rows = sorted((*ROWS, *TIMED), key=lambda row: row.number)
    return [(row, dialect) for row in rows for dialect in row.only if dialect in DIALECTS]


class Matrix:
    """Plays cells, and judges them. ``as_listed``: without resuming, each must end as the catalogue says."""

    def __init__(self, stage: Stage, chosen: list[tuple[Row, str]], *, as_listed: bool = True) -> None:
        """Sees first what the bare SDKs make of it all; then l0 is on, and knows that this origin ends its streams."""
        self._stage = stage
        self._as_listed = as_listed
        self.chosen = chosen
        l0.uninstrument()
        self._bare = {
            (str(row), dialect, sync): played(self._stage, row, dialect, sync=sync, retries=0)
            for row, dialect in chosen
            if row not in TIMED
            for sync in (True, False)
        }
        stage.on()
        for dialect in dict.fromkeys(dialect for _, dialect in chosen):
            stage.call(body_of(dialect), sync=True)
        self._whole: dict[tuple[str, bool, str], Got] = {}

    def judged(self, modes: Iterable[str] = MODES) -> Iterator[Cell]:
        """Every cell, in every mode and both flavours."""
        for row, dialect in self.chosen:
            for mode in modes:
                for sync in (True, False):
                    yield self._judged(row, dialect, mode, sync=sync)

    def _judged(self, row: Row, dialect: str, mode: str, *, sync: bool) -> Cell:
        timeout = LIMITS if row in TIMED else None
        with l0.policy(resume=mode, timeout=timeout):
            seen = played(self._stage, row, dialect, sync=sync, times=row.times, healthy=_healthy(mode))
        bare = self._bare.get((str(row), dialect, sync), seen)
        if mode == "off" and self._as_listed:
            got, wrong = self._off(row, dialect, seen, bare, sync=sync)
        else:
            whole = self._healthy(dialect, sync, mode)
            got, wrong = resumed(row, dialect, seen, bare, whole)
        error = "" if seen.error is None else type(seen.error).__name__
        return Cell(
            row=row, dialect=dialect, sync=sync, mode=mode, requests=seen.requests, got=got, error=error, wrong=wrong
        )

    def _off(self, row: Row, dialect: str, seen: Seen, bare: Seen, *, sync: bool) -> tuple[str, str | None]:
        """Without resuming, what the catalogue says must come of it."""
        end = row.others.get(dialect, row.end)
        whole = played(self._stage, row, dialect, sync=sync, times=0).chunks
        expected = row.requests or (2 if end is End.HEALED else 1)
        wrong = mismatch(end, seen, bare, whole)
        if wrong is None and seen.requests != expected:
            wrong = f"{seen.requests} requests, not {expected}"
        if wrong is None and seen.spans != 1:
            wrong = f"{seen.spans} spans"
        return (_SHOWN.get(end) or _part(got_of(dialect, seen))), wrong

    def _healthy(self, dialect: str, sync: bool, mode: str) -> Any:
        key = (dialect, sync, mode)
        if key not in self._whole:
            sample = body_of(dialect, ANSWER)
            request = REQUESTED.get(dialect, {})
            seen = self._stage.call(sample, sync=sync, healthy=_healthy(mode), **request)
            self._whole[key] = got_of(dialect, seen)
        return self._whole[key]


def played(stage: Stage, row: Row, dialect: str, *, sync: bool, times: int = 1, **more: Any) -> Seen:
    """Make the call of a row; places in the greeting are moved to the longer answer."""
    body = body_of(dialect, ANSWER)
    longer = body.content.count(b"data:") - body_of(dialect).content.count(b"data:")

    def moved(at: int | None) -> int | None:
        if at == AFTER:
            return LATE
        return at + longer if at is not None and at >= FINISH[dialect] - 1 else at

    fault = Fault(parts=tuple(replace(part, at_event=moved(part.at_event)) for part in row.make(dialect).parts))
    sample = body if row.edit is None else replace(body, content=row.edit(body.content))
    request = {**REQUESTED.get(dialect, {}), **row.request}
    return stage.call(sample, *[fault] * times, sync=sync, **more, **request)


_SHOWN = {
    End.HEALED: "whole",
    End.WHOLE: "whole",
    End.EVENT: "error event",
    End.PROVEN: "differs",
    End.SAME: "as sent",
    End.UNSEEN: "UNSEEN",
}


def _healthy(mode: str) -> Reply | None:
    """Only an answer continues the text of the request; a fixed body does not."""
    return Reply(answer=corpus.bundled_answer(ANSWER)) if mode in ("prefill", "splice") else None


def _part(got: Got) -> str:
    return "partial" if got.text else "none"


def got_of(dialect: str, seen: Seen) -> Got:
    return Got(api=APIS[dialect], events=seen.chunks, error=seen.error, requests=[], span=seen.span or {}, marks=[])


def resumed(row: Row, dialect: str, seen: Seen, bare: Seen, whole: Got) -> tuple[str, str | None]:
    """Return the result of a call that may resume, and the error in it."""
    if seen.spans != 1:
        return "?", f"{seen.spans} spans"
    end = row.others.get(dialect, row.end)
    if seen.error is None and end in (End.SAME, End.UNSEEN) and difference(seen.chunks, bare.chunks) is None:
        return _SHOWN[end], None
    if end in (End.EVENT, End.PROVEN) and mismatch(end, seen, bare, []) is None:
        return _SHOWN[end], None
    got = got_of(dialect, seen)
    if seen.error is not None:
        return _part(got), _dishonest(got, whole, bare)
    if got.text != whole.text:
        return "WRONG", f"silent: {got.text!r}"
    if got.shape != whole.shape:
        return "WRONG", f"silent: {got.shape}, not {whole.shape}"
    return "whole", "two ids" if len(got.ids) > 1 else None


def _dishonest(got: Got, whole: Got, bare: Seen) -> str | None:
    """Return the defect of an error and of the text before it; ``None`` if the error is true and of an SDK class."""
    error = got.error
    if not whole.text.startswith(got.text) or len(got.events) >= len(whole.events):
        return f"{got.text!r} is no part of the answer"
    if isinstance(error, l0.StreamInterrupted):
        if error.partial_text != got.text:
            return f"partial text {error.partial_text!r}, handed over {got.text!r}"
        return None if any(kind.__name__ == "APIError" for kind in type(error).__mro__) else f"{error!r}"
    return None if type(error) is type(bare.error) else f"{error!r}, not {bare.error!r}"
