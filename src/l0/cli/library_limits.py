"""Report installed libraries whose calls L0 does not see, or describes only in part."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import PurePath

from l0.stainless.installed import version_of

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
_SDKS = (
    "ai21",
    "azure-ai-inference",
    "cohere",
    "dashscope",
    "google-generativeai",
    "ibm-watsonx-ai",
    "mistralai",
    "ollama",
    "reka-api",
    "replicate",
    "xai-sdk",
    "zai-sdk",
    "zhipuai",
)
"""SDKs of providers that have their own transports or objects, so that no provider's class can patch them."""
_GENERATED_SDKS = ("perplexityai", "sambanova")
"""SDKs of providers that Stainless generated and that L0 does not patch without a class for them."""


def library_limits(patched: Collection[str] = ()) -> Iterator[DoctorFinding]:
    """Yield a line per limit of the installed libraries. None is a problem: the program may not use the library.

    ``patched``: distributions of the SDKs that L0 patches.
    """
    for name, affected_file, text in _LIMITS:
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if any(PurePath(file).name == affected_file for file in found.files or ()):
            yield DoctorFinding(f"{name} {found.version}: {text}")
    for names, fix in ((_SDKS, "the explicit API can run them"), (_GENERATED_SDKS, "a provider's class can add it")):
        for name in sorted({*names}.difference(patched)):
            found_version = version_of(name)
            if found_version is not None:
                yield DoctorFinding(f"{name} {found_version}: l0 does not see its calls; {fix}")
