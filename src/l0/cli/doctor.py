"""`l0 doctor`: report what is installed and what L0 patches, and check that it works on this machine."""

from __future__ import annotations

import json
import logging
import os
import platform
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import (
    PackageNotFoundError,
    entry_points,
    metadata,
    packages_distributions,
    requires,
    version,
)
from typing import Any

from opentelemetry import metrics, trace
from packaging.markers import Marker
from packaging.requirements import Requirement

import l0
from l0.config import CONFIG
from l0.model.errors import raised_with_text
from l0.shared_state.late_settings import LATE_SETTINGS
from l0.simulator.simulator_config import SimulatorConfig
from l0.stainless.direct_proof import reasons_by_kind
from l0.stainless.discovery import installed_version, load_providers
from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor
from l0.stainless.patch_check import bypasses
from l0.stainless.sdk import Sdk
from l0.stainless.sdk_instrumentor import SdkInstrumentor
from l0.stainless.stainless_instrumentor import StainlessInstrumentor
from l0.telemetry.listeners import is_no_op
from l0.telemetry.names import DISTRIBUTION
from l0.telemetry.otlp_request import ENDPOINTS

from .demo.demo_provider import provider
from .doctor_answers import doctor_answers
from .doctor_finding import DoctorFinding
from .library_limits import library_limits
from .policy_report import policy_fields, policy_report
from .provider_packages import provider_packages, undeclared_distribution, undeclared_host, wrong_import_name

_NAMESAKES = ("l0", "reliable-ai-streams-py")
"""Other distributions that install a package `l0`. If two are installed, their files overwrite each other."""

_INNER_EXTRAS = frozenset({"instruments-any", "all", "test", "lint", "dev", "bench"})
"""Extras that are not for users: one that OpenTelemetry reads, the sum of the others, and those for work on L0."""
_TELEMETRY = ("opentelemetry-api", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")


def doctor(*, as_json: bool = False) -> int:
    """Print the report. Return 0 if there is no problem, else 1.

    ``as_json``: print an object with ``format`` (1), ``ok``, ``versions``, ``policy`` (each ``field``, ``value`` and
    ``source``) and ``findings`` (each ``section``, ``text`` and ``problem``). Later versions may add keys.
    """
    with _without_console():
        report = [(title, list(_guarded(findings))) for title, findings in _report()]
    problems = sum(finding.problem for _, findings in report for finding in findings)
    if as_json:
        print(json.dumps(_object(report), indent=2))
        return 1 if problems else 0
    for title, findings in report:
        print(title)
        for finding in findings:
            print(f"  {'!' if finding.problem else ' '} {finding.text}")
    print("No problems found." if not problems else f"{problems} problem{'s' * (problems > 1)}, marked '!'.")
    return 1 if problems else 0


def _object(report: Sequence[tuple[str, Sequence[DoctorFinding]]]) -> dict[str, object]:
    names = (DISTRIBUTION, *_TELEMETRY, *map(_distribution, load_providers()[0]))
    return {
        "format": 1,
        "ok": not any(finding.problem for _, findings in report for finding in findings),
        "versions": {"python": platform.python_version(), **{name: installed(name) for name in names}},
        "policy": [asdict(field) for field in policy_fields()],
        "findings": [{"section": title, **asdict(finding)} for title, findings in report for finding in findings],
    }


def _guarded(findings: Iterable[DoctorFinding]) -> Iterator[DoctorFinding]:
    """Yield the findings of one section. A check that raises is reported as a problem, and the next section follows."""
    try:
        yield from findings
    except Exception:
        yield DoctorFinding(f"this check failed: {raised_with_text()}", True)


def _report() -> Iterator[tuple[str, Iterable[DoctorFinding]]]:
    own = installed(DISTRIBUTION)
    python = f"Python {platform.python_version()}, {platform.system()}"
    yield f"{DISTRIBUTION} {own or '(not installed)'}, {python}", _own()
    found, problems = load_providers()
    if packages := list(_guarded(provider_packages(problems))):
        yield "Provider packages", packages
    missing = [instrumentor for instrumentor in found if installed_version(instrumentor.sdk_name) is None]
    misnamed = {instrumentor: finding for instrumentor in missing if (finding := wrong_import_name(instrumentor))}
    if len(missing) == len(found):
        yield "SDKs", [DoctorFinding("no supported SDK is installed: l0.instrument() patches nothing", True)]
    for instrumentor in found:
        if isinstance(instrumentor, SdkInstrumentor) and (instrumentor not in missing or instrumentor in misnamed):
            findings = [misnamed[instrumentor]] if instrumentor in misnamed else _sdk(instrumentor)
            yield f"{instrumentor.sdk_name}, supported {instrumentor.supported_versions}", findings
    if others := [instrumentor for instrumentor in missing if instrumentor not in misnamed]:
        yield "SDKs that are not installed", map(_missing, others)
    if limits := list(_guarded(library_limits({*map(_distribution, found)}))):
        yield "Other libraries", limits
    yield "Policy", policy_report()
    yield "OpenTelemetry", _telemetry()


def _own() -> Iterator[DoctorFinding]:
    """Report on L0's own distribution."""
    yield from namesakes(packages_distributions().get("l0", ()))
    yield from _extras()


def installed(distribution: str) -> str | None:
    """Return the version of a distribution; None if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def namesakes(owners: Iterable[str]) -> list[DoctorFinding]:
    """Return a problem per other distribution that installs a package `l0`. ``owners``: known owners of the package."""
    others = sorted({*owners, *_NAMESAKES} - {DISTRIBUTION})
    return [
        DoctorFinding(
            f"{name} {found} also installs a package 'l0': pip uninstall {name}, then reinstall {DISTRIBUTION}", True
        )
        for name in others
        if (found := installed(name)) is not None
    ]


def _extras() -> Iterator[DoctorFinding]:
    """Report which extras for users are installed, and which packages the others lack.

    A missing extra is no problem here: the sections "Policy" and "OpenTelemetry" report the extras that they need.
    """
    missing: dict[str, list[str]] = {}
    own = metadata(DISTRIBUTION) if installed(DISTRIBUTION) else None
    extras = [extra for extra in (own.get_all("Provides-Extra") or () if own else ()) if extra not in _INNER_EXTRAS]
    for line in requires(DISTRIBUTION) or () if own else ():
        requirement = Requirement(line)
        for extra in extras:
            if requirement.marker is not None and _applies(requirement.marker, extra):
                absent = installed(requirement.name) is None
                missing.setdefault(extra, []).extend([requirement.name] if absent else [])
    complete = [extra for extra, names in missing.items() if not names]
    if complete:
        yield DoctorFinding(f"extras installed: {', '.join(complete)}")
    for extra, names in missing.items():
        if names:
            yield DoctorFinding(f"extra {extra} is not installed: {', '.join(names)} missing")


def _applies(marker: Marker, extra: str) -> bool:
    return marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def _distribution(instrumentor: Any) -> str:
    """Return the name of an SDK's distribution."""
    return getattr(instrumentor, "distribution", None) or str(instrumentor.sdk_name)


def _missing(instrumentor: Any) -> DoctorFinding:
    own = metadata(DISTRIBUTION).get_all("Provides-Extra") if installed(DISTRIBUTION) else None
    name = _distribution(instrumentor)
    requirement = f"'{DISTRIBUTION}[{name}]'" if name in (own or ()) else name
    return DoctorFinding(f"{name}: pip install {requirement}")


def _sdk(instrumentor: SdkInstrumentor) -> Iterator[DoctorFinding]:
    """Report on one SDK: instrument it and read one answer per API."""
    name = instrumentor.sdk_name
    known = installed(instrumentor.distribution)
    found = getattr(import_module(name), "__version__", known or "(version unknown)")
    with suppress(ImportError):  # another package of this name may lack the module
        import_module(instrumentor.module_name)
    owner = undeclared_distribution(instrumentor) if known is None else None
    if owner is not None:
        yield owner
    elif known is None:
        found += " (a copy without metadata: frozen, zipped or vendored)"
    was_instrumented = name in LATE_SETTINGS.instrumented
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning), _quiet():  # the report repeats them
        l0.instrument()
    try:
        patches = instrumentor.patches
        if patches is None and instrumentor.refusal is None:
            yield DoctorFinding(f"{name} {found} is another package, not {instrumentor.distribution}: left alone")
            return
        if patches is None:
            yield DoctorFinding(f"{name} {found}: not patched; its calls run without l0 ({instrumentor.refusal})", True)
            return
        root = name.partition(".")[0]
        hidden = [DoctorFinding(f"{text}: calls through it bypass l0", True) for text in bypasses(patches, root)]
        if not isinstance(instrumentor, StainlessInstrumentor):
            yield DoctorFinding(f"{name} {found}: patched")
            yield from hidden
            return
        tier = "l0's own loop reads its streams" if patches.sdk.loop else "l0 reads through the SDK's own loop (slower)"
        yield DoctorFinding(f"{name} {found}: patched; {tier}", patches.sdk.loop is None)
        yield from hidden
        if isinstance(instrumentor, OpenAiApiInstrumentor):
            yield from undeclared_host(instrumentor)
        yield from _answers(instrumentor, patches.sdk)
        yield from _constructors(instrumentor)
        yield from _parameters(instrumentor)
        yield from _options(instrumentor)
        yield from _direct_reading(instrumentor)
    finally:
        if not was_instrumented:
            l0.uninstrument()


@contextmanager
def _without_console() -> Iterator[None]:
    """Keep the console of the calling program from showing, and counting, the calls of the report."""
    before = CONFIG.console
    CONFIG.set_console(False)
    try:
        yield
    finally:
        CONFIG.set_console(before or None)


@contextmanager
def _unrecorded() -> Iterator[None]:
    """Keep the calls of the report out of the recordings of the calling program."""
    before, CONFIG.shared_state.recorder = CONFIG.shared_state.recorder, None
    try:
        yield
    finally:
        CONFIG.shared_state.recorder = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep L0's log lines out of the report, which has the same information."""
    log = logging.getLogger("l0")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _answers(instrumentor: StainlessInstrumentor, sdk: Sdk) -> Iterator[DoctorFinding]:
    """Check one answer per API."""
    with provider(SimulatorConfig()) as simulator, _unrecorded(), _quiet():
        yield from doctor_answers(instrumentor, sdk, simulator)


def _constructors(instrumentor: StainlessInstrumentor) -> Iterator[DoctorFinding]:
    """Report the constructors compiled for these answers, and the objects that the SDK itself built."""
    assert instrumentor.patches is not None
    report = instrumentor.patches.sdk.constructors.report()
    compiled = f"{report.shapes} shapes of {report.classes} classes" if report.shapes else "none"
    yield DoctorFinding(
        f"compiled constructors: {compiled}; left to the SDK: "
        f"{report.objects_left_to_sdk} objects, {report.values_left_to_sdk} parts"
    )
    for type_, reason in report.switched_off.items():
        yield DoctorFinding(f"switched off: {type_}: {reason}", True)
    for type_, reason in report.unsupported.items():
        yield DoctorFinding(f"built by the SDK's own code, which is correct but slower: {type_}: {reason}")


def _parameters(instrumentor: StainlessInstrumentor) -> Iterator[DoctorFinding]:
    """Report on the compiled request parameters, if the SDK transforms parameters."""
    assert instrumentor.patches is not None
    parameters = instrumentor.patches.sdk.parameters
    if parameters is None:
        return
    yield DoctorFinding(f"parameters of requests: {parameters.unsupported or 'transformed by compiled functions'}")
    for type_, reason in parameters.switched_off.items():
        yield DoctorFinding(f"switched off: {type_}: {reason}", True)


def _options(instrumentor: StainlessInstrumentor) -> Iterator[DoctorFinding]:
    """Report how the options of requests are constructed.

    Construct some first: L0 leaves those of the first call to the SDK, so the calls of the report may not suffice.
    """
    assert instrumentor.patches is not None
    kind = instrumentor.patches.sdk.options_kind
    if kind is not None:
        kind.construct(method="post", url="/")
    options = instrumentor.patches.options
    if options is None and kind is not None:
        yield DoctorFinding("options of requests: not checked, because no call was made")
        return
    reason = "another function replaces the SDK's" if options is None else options.switched_off or options.unsupported
    how = "constructed from known defaults" if reason is None else f"left to the SDK ({reason})"
    yield DoctorFinding(f"options of requests: {how}", options is not None and options.switched_off is not None)


def _direct_reading(instrumentor: StainlessInstrumentor) -> Iterator[DoctorFinding]:
    """Report whether streams may be read directly from the connections of the SDK's transport.

    If not, that is no problem: they are read through the transport, as without l0.
    """
    assert instrumentor.patches is not None
    client = instrumentor.patches.sdk.transport.__name__
    core = client.replace("httpx", "httpcore")
    versions = ", ".join(f"{name} {installed(name)}" for name in (client, core, "h11"))
    reasons = reasons_by_kind(client)
    proven = [kind for kind, reason in reasons.items() if not reason]
    switch = "on" if CONFIG.direct else "off"
    yield DoctorFinding(f"direct reading ({switch}), {versions}: proven for {', '.join(proven) or 'nothing'}")
    for kind, reason in reasons.items():
        if reason:
            yield DoctorFinding(f"{kind} streams are read through the transport: {reason}")


def _telemetry() -> Iterator[DoctorFinding]:
    for name in _TELEMETRY:
        yield DoctorFinding(f"{name} {installed(name) or 'is not installed'}")
    for kind, current in (("spans", trace.get_tracer_provider()), ("metrics", metrics.get_meter_provider())):
        target = "nowhere: this process has no provider" if is_no_op(current) else f"to {type(current).__qualname__}"
        yield DoctorFinding(f"{kind} go {target}")
    if any(os.environ.get(name) for name in ENDPOINTS) and installed("opentelemetry-exporter-otlp-proto-http") is None:
        yield DoctorFinding(f"the environment asks for OTLP export: pip install '{DISTRIBUTION}[otlp]'", True)
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    grpc_exporter = "opentelemetry-exporter-otlp-proto-grpc"
    if installed("opentelemetry-distro") is not None and protocol == "grpc" and installed(grpc_exporter) is None:
        fix = f"set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or pip install {grpc_exporter}"
        yield DoctorFinding(
            f"opentelemetry-instrument fails, because opentelemetry-distro wants OTLP over gRPC: {fix}", True
        )
    switches = sorted(name for name in os.environ if name.startswith("OTEL_"))
    yield DoctorFinding(f"environment: {', '.join(switches) or 'no OTEL_ variable is set'}")
    instrumented = {instrumentor.sdk_name for instrumentor in load_providers()[0]}
    for point in entry_points(group="opentelemetry_instrumentor"):
        if point.name in instrumented and point.dist is not None:
            yield DoctorFinding(f"{point.dist.name} {point.dist.version} also instruments {point.name}")
