"""Get the back ends that the tests run against, as far as this machine can, and say what is missing.

    python tests/backends/install.py

Each comes from the first of: this machine's PATH, what an earlier run made, Go modules (where Go is), Debian packages
(where the scripts for them are at hand), PyPI for what is written in Python. Nothing needs root, nothing is installed
outside `.cache/backends`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "backends"
BUILDS = Path(__file__).parent / "builds"
# Scripts that unpack Debian packages without root; beside the project, as the recorded traffic is.
TOOLS = Path(os.environ.get("TEST_TOOLS") or ROOT.parent / "shared" / "tools")
PATIENCE = 1800
"""Seconds that one build may take: the Collector's contrib components are a thousand packages."""
COLLECTOR, JAEGER = "v0.155.0", "v1.76.0"
"""Jaeger tags every release of version 2 as one of version 1 as well, for Go's sake: this is 2.13.0."""


class Missing(Exception):
    """Why a back end cannot be had in one way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """``file``: the program's name. ``ways``: how to get it, tried in this order; each gives the program's path."""

    name: str
    file: str
    ways: tuple[Callable[[], Path], ...]


def run(command: list[str], cwd: Path, **environment: str) -> str:
    """Its output; raises `Missing` with its last words. One job at a time: a build is in nobody's way."""
    limits = {"GOFLAGS": "-p=1 -buildvcs=false", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    nice = ["nice", "-n", "5"] if shutil.which("nice") else []
    try:
        done = subprocess.run(
            [*nice, *command],
            cwd=cwd,
            env=os.environ | limits | environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{command[0]}: {error}") from None
    if done.returncode:
        said = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        raise Missing(f"{' '.join(command[:3])}: {' / '.join(said[-2:])}")
    return done.stdout


def workshop(name: str) -> Path:
    """An empty folder to build in."""
    folder = CACHE / "build" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def need_go() -> None:
    """Install a program. Raises `Missing` if there is no Go."""
    if shutil.which("go") is None:
        raise Missing("Go is not installed")


def collector(name: str) -> Callable[[], Path]:
    """Built from its manifest by OpenTelemetry's own builder."""

    def build() -> Path:
        need_go()
        folder = workshop(name)
        builder = f"go.opentelemetry.io/collector/cmd/builder@{COLLECTOR}"
        run(["go", "run", builder, "--config", str(BUILDS / f"{name}.yaml"), "--ldflags=-s -w"], folder)
        return folder / "dist" / name

    return build


def jaeger() -> Path:
    """Built as a dependency of an empty module that repeats Jaeger's own requirements and checksums: Go does not
    install what has its own replacements."""
    need_go()
    folder = workshop("jaeger")
    module = "github.com/jaegertracing/jaeger"
    source = Path(json.loads(run(["go", "mod", "download", "-json", f"{module}@{JAEGER}"], folder))["Dir"])
    requirements = (source / "go.mod").read_text().replace(f"module {module}", "module l0.test/jaeger", 1)
    (folder / "go.mod").write_text(requirements)
    (folder / "go.sum").write_bytes((source / "go.sum").read_bytes())
    run(["go", "mod", "edit", "-require", f"{module}@{JAEGER}"], folder)
    run(["go", "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", "jaeger", f"{module}/cmd/jaeger"], folder)
    return folder / "jaeger"


PACKAGES = ("prometheus", "promtool", "victoria-metrics", "prometheus-alertmanager")


def debian(file: str) -> Callable[[], Path]:
    """Unpacked from Debian's packages, which are fetched together."""

    def unpack() -> Path:
        script = TOOLS / "get-debs.sh"
        if not script.is_file():
            raise Missing("no scripts for Debian packages (TEST_TOOLS)")
        folder = CACHE / "debian"
        program = folder / "root" / "usr" / "bin" / file
        if not program.is_file():
            run(["bash", str(script), str(folder), "sid", *PACKAGES], ROOT)
        return program

    return unpack


def debian_collector() -> Path:
    """The core Collector from Debian's source packages: needs neither Go nor its proxy."""
    script = TOOLS / "build-otelcol.sh"
    if not script.is_file():
        raise Missing("no script for Debian's Collector (TEST_TOOLS)")
    folder = workshop("debian-otelcol")
    run(["bash", str(script), str(folder), str(TOOLS / "otelcol-main.go")], ROOT)
    return folder / "otelcol"


def python(name: str) -> Callable[[], Path]:
    """From PyPI, in its own environment: what it needs is not the project's business."""

    def install() -> Path:
        folder = workshop(name)
        venv.create(folder, with_pip=True)
        run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "-r", str(BUILDS / f"{name}.txt")], ROOT)
        return folder / "bin" / name

    return install


BACKENDS = (
    Backend(name="Collector (core)", file="otelcol-core", ways=(collector("otelcol-core"), debian_collector)),
    Backend(name="Collector (contrib)", file="otelcol-contrib", ways=(collector("otelcol-contrib"),)),
    Backend(name="Jaeger", file="jaeger", ways=(jaeger,)),
    Backend(name="Prometheus", file="prometheus", ways=(debian("prometheus"),)),
    Backend(name="promtool", file="promtool", ways=(debian("promtool"),)),
    Backend(name="vmagent", file="vmagent", ways=(debian("vmagent"),)),
    Backend(name="amtool", file="amtool", ways=(debian("amtool"),)),
    Backend(name="Datadog's test agent", file="ddapm-test-agent", ways=(python("ddapm-test-agent"),)),
)
FOUND = CACHE / "found.json"
"""The programs: each one's path, or the reason why it is missing."""


def get(backend: Backend) -> Path:
    """Its program; raises `Missing` with the reason of every way."""
    made = CACHE / "bin" / backend.file
    recipe = f"{COLLECTOR} {JAEGER} {_manifest(backend)}"
    stamp = made.with_suffix(".recipe")
    if on_path := shutil.which(backend.file):
        return Path(on_path)
    if made.is_file() and stamp.is_file() and stamp.read_text() == recipe:
        return made
    reasons = []
    for way in backend.ways:
        try:
            program = way()
        except Missing as reason:
            reasons.append(str(reason))
            continue
        made.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(program, made)
        stamp.write_text(recipe)
        return made
    raise Missing("; ".join(reasons))


def _manifest(backend: Backend) -> str:
    return "".join(file.read_text() for file in BUILDS.glob(f"{backend.file}.*"))


def main() -> None:
    """Get them all."""
    found: dict[str, Mapping[str, str]] = {}
    for backend in BACKENDS:
        began = time.monotonic()
        print(f"{backend.name}: ", end="", flush=True)
        try:
            program = str(get(backend))
            found[backend.file] = {"name": backend.name, "path": program}
            print(f"{program} ({time.monotonic() - began:.0f} s)", flush=True)
        except Missing as reason:
            found[backend.file] = {"name": backend.name, "missing": str(reason)}
            print(f"MISSING: {reason}", flush=True)
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
