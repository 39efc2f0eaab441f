"""One line of the report of `l0 doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """One line of the report. ``problem``: True if the user must act on it."""

    text: str
    problem: bool = False
