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
        "l0 sees no calls of its own engine, which uses no SDK: dspy.LM(..., engine='litellm') uses the openai SDK",
    ),
    (
        "litellm",
        "llm_http_handler.py",
        "l0 sees only its calls through the openai SDK; responses() and providers such as Anthropic use its own client",
    ),
    (
        "opentelemetry-instrumentation-openai",
        "responses_wrappers.py",
        "it starts its span of the Responses API after the call, so this span has no l0.* attributes",
    ),
)
"""Each limit: the distribution, the file that causes it, and the text."""


def library_limits() -> Iterator[DoctorFinding]:
    """Yield a line per limit of the installed libraries. None is a problem by itself: the program may not use them."""
    for name, cause, text in _LIMITS:
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if any(PurePath(file).name == cause for file in found.files or ()):
            yield DoctorFinding(f"{name} {found.version}: {text}")
