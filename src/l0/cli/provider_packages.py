"""Find mistakes in provider packages of third parties, for `l0 doctor`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points, files, packages_distributions
from importlib.util import find_spec
from typing import Any

from l0.stainless.discovery import GROUP, PREFIX, describe_entry_point
from l0.stainless.installed import version_of
from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor
from l0.stainless.sdk_instrumentor import SdkInstrumentor

from .doctor_finding import DoctorFinding


def provider_packages(problems: Iterable[str]) -> Iterator[DoctorFinding]:
    """Report the packages that L0 ignores. ``problems``: those of `load_providers`."""
    for problem in problems:
        yield DoctorFinding(problem, True)
    for point in entry_points(group=GROUP):
        if not point.name.startswith(PREFIX) and _declares_provider(point):
            text = f"l0 ignores {describe_entry_point(point.name)}: its name does not begin with {PREFIX}"
            yield DoctorFinding(text, True)


def _declares_provider(point: EntryPoint) -> bool:
    """Return True if the source of an entry point's module uses the base classes of providers.

    The module is not imported, because it may be any instrumentation.
    """
    try:
        spec = find_spec(point.module)
        loader: Any = None if spec is None else spec.loader
        source = loader.get_source(point.module)
    except Exception:  # a parent package may raise anything
        return False
    return source is not None and re.search(r"\bl0\.(stainless|wrapped_sdks)\b", source) is not None


def undeclared_distribution(instrumentor: SdkInstrumentor) -> DoctorFinding | None:
    """Return a finding if the SDK is installed by another distribution than the class states."""
    owners = ", ".join(_owners(instrumentor.sdk_name))
    if not owners:
        return None
    kind = type(instrumentor).__name__
    return DoctorFinding(
        f"the package {instrumentor.sdk_name} is of the distribution {owners}, not of {instrumentor.distribution}: "
        f"declare the right name as distribution of {kind}",
        isinstance(instrumentor, OpenAiApiInstrumentor),
    )


def wrong_import_name(instrumentor: Any) -> DoctorFinding | None:
    """Return a problem if the distribution of an SDK is installed, though its package cannot be found."""
    found = version_of(instrumentor.distribution) if isinstance(instrumentor, OpenAiApiInstrumentor) else None
    if found is None:
        return None
    name = instrumentor.distribution
    packages = sorted(package for package, owners in packages_distributions().items() if name in owners)
    such_as = f", such as {packages[0]}" if packages else ""
    return DoctorFinding(
        f"{name} {found} is installed, but it has no module {instrumentor.sdk_name}: sdk_name of "
        f"{type(instrumentor).__name__} is the name by which programs import it{such_as}",
        True,
    )


def _owners(package: str) -> list[str]:
    """Return the distributions that install a package."""
    root, _, inner = package.partition(".")
    owners = sorted({*packages_distributions().get(root, ())})
    if not inner:
        return owners
    folder = f"{package.replace('.', '/')}/"  # several distributions may install parts of one root package
    return [owner for owner in owners if any(str(file).startswith(folder) for file in files(owner) or ())]


def undeclared_host(instrumentor: OpenAiApiInstrumentor) -> Iterator[DoctorFinding]:
    """Report that no host is declared. That is no problem if streams of the provider have no certain end."""
    if instrumentor.terminal_event_host is None:
        yield DoctorFinding(
            f"{type(instrumentor).__name__} declares no terminal_event_host: a truncated stream of the provider is "
            "an error only after a complete one from the same URL and model"
        )
