"""Find JSON that a length limit or a filter cut. A repair must not close it: the rest would be lost unnoticed."""

from __future__ import annotations

from l0.model.rule import Ending, Severity

from .edits import EditKind
from .repair import Unrepairable, repair_json

_CLOSING = frozenset(
    {
        EditKind.UNCLOSED_STRING,
        EditKind.UNCLOSED_ARRAY,
        EditKind.UNCLOSED_OBJECT,
        EditKind.CUT_MEMBER,
        EditKind.CUT_VALUE,
    }
)


def cut_flaw(text: str, ending: Ending) -> str | None:
    """Return what cut the JSON in ``text``, as a phrase to append to a subject.

    ``None`` if the JSON is complete, or if the model itself ended the answer.
    """
    if not ending.cut or not _breaks_off(text):
        return None
    reason = f'(finish reason "{ending.finish_reason}") before the JSON was complete'
    if ending.at_limit:
        return f"reached the length limit {reason}; a retry with the same limit would not help"
    return f"stopped at a filter {reason}"


def severity_of_cut(severity: Severity, ending: Ending) -> Severity:
    """Return the severity of such a finding. An error at the length limit ends the call: the limit stays the same."""
    return Severity.FATAL if ending.at_limit and severity is Severity.ERROR else severity


def _breaks_off(text: str) -> bool:
    """Return True if a text does not contain the end of its JSON. A number at the end of the text may go on."""
    repaired = repair_json(text)
    if isinstance(repaired, Unrepairable):
        return True
    if not repaired.edits:
        return text[-1:].isdigit()
    return any(edit.kind in _CLOSING for edit in repaired.edits)
