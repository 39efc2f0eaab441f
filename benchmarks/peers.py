"""Peers: other libraries that observe or wrap the same SDKs, each in its own environment."""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache" / "bench"
_INSTALL_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One peer. ``requirements``: packages that pip installs beside the SDKs. ``modules``: must be importable then."""

    name: str
    title: str
    requirements: tuple[str, ...]
    modules: tuple[str, ...]


# A lower bound with a pre-release in it lets pip take pre-releases of this one package, and of no other.
_ALL = (
    Peer(
        name="otel-genai",
        title="OpenTelemetry GenAI",
        requirements=(
            "opentelemetry-instrumentation-genai-openai>=1.0b0",
            "opentelemetry-instrumentation-genai-anthropic>=1.0b0",
        ),
        modules=("opentelemetry.instrumentation.genai.openai", "opentelemetry.instrumentation.genai.anthropic"),
    ),
    Peer(
        name="openllmetry",
        title="OpenLLMetry",
        requirements=("opentelemetry-instrumentation-openai", "opentelemetry-instrumentation-anthropic"),
        modules=("opentelemetry.instrumentation.openai", "opentelemetry.instrumentation.anthropic"),
    ),
    Peer(
        name="openinference",
        title="OpenInference",
        requirements=("openinference-instrumentation-openai", "openinference-instrumentation-anthropic"),
        modules=("openinference.instrumentation.openai", "openinference.instrumentation.anthropic"),
    ),
    Peer(name="logfire", title="Logfire", requirements=("logfire",), modules=("logfire",)),
    Peer(name="litellm", title="LiteLLM", requirements=("litellm",), modules=("litellm",)),
    Peer(name="l0-python", title="L0 for Python", requirements=("reliable-ai-streams-py",), modules=("l0",)),
)


PEERS: dict[str, Peer] = {peer.name: peer for peer in _ALL}


class UnavailableError(Exception):
    """The peer cannot be measured. The message says why."""


def python_of(peer: Peer) -> Path:
    """Return the interpreter of a peer's environment, which is created if it is missing.

    It has the same SDK versions as this environment. Raises `UnavailableError` if pip cannot install the peer, or if
    its modules cannot be imported.
    """
    folder = CACHE / peer.name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True, clear=True)
    sdks = [f"{name}=={version(name)}" for name in ("openai", "anthropic", "opentelemetry-sdk")]
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *sdks, *peer.requirements])
    _run([str(python), "-c", f"import {', '.join(peer.modules)}"])
    return python


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"not installed within {_INSTALL_SECONDS} s") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.strip()]
        raise UnavailableError(errors[-1] if errors else f"exit code {done.returncode}")
