"""Report installed libraries whose calls L0 does not see, or describes only in part."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import PurePath

from .doctor_finding import DoctorFinding

_LIMITS = (
    (
        "dspy",
        "lm15_engine.py",
        "l0 does not see calls of dspy's own engine, which uses no SDK; with dspy.LM(..., engine='litellm') it does",
    ),
    (
        "opentelemetry-instrumentation-openai",
        "responses_wrappers.py",
        "its span of a Responses call starts after the call, so this span has no l0.* attributes",
    ),
)
"""Each limit: the distribution, a file that only the affected versions contain, and the text."""


def library_limits() -> Iterator[DoctorFinding]:
    """Yield a line per limit of the installed libraries. None is a problem: the program may not use the library."""
    for name, affected_file, text in _LIMITS:
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if any(PurePath(file).name == affected_file for file in found.files or ()):
            yield DoctorFinding(f"{name} {found.version}: {text}")
