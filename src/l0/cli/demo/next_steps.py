"""The commands that the demo ends with. They work as printed."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.text import Text

_COLLECTOR = "http://localhost:4318"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The commands to try next.

    ``program``: how a shell finds ``l0``. ``viewer``, ``export``: true if the extras of ``l0 view`` and of OTLP are
    installed.
    """

    program: str
    viewer: bool
    export: bool

    @property
    def terminal_hint(self) -> str:
        """Return the hint to use a second terminal, if the commands start both a program and the viewer that it sends
        to."""
        return " and a second terminal" if self.viewer and self.export else ""

    def lines(self) -> Iterator[Text]:
        """Yield the commands, one per line, without line breaks, so that a user can copy them."""
        otlp = f" --otlp {_COLLECTOR}" if self.viewer and self.export else ""
        commands = [f"{self.program} run --policy agent{otlp} your_app.py"]
        if self.viewer:
            commands.append(f"{self.program} view")
        else:
            commands.append(f"pip install 'l0-otel[viewer,otlp]' && {self.program} view")
        for command in commands:
            yield Text(f"  {command}", style="bold cyan", no_wrap=True, overflow="ignore")


def installed_commands() -> Commands:
    """Return the commands for this environment."""
    return Commands(
        program=_program(),
        viewer=_found("starlette", "uvicorn", "opentelemetry.proto"),
        export=_found("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
    )


def _found(*modules: str) -> bool:
    try:
        return all(find_spec(module) is not None for module in modules)
    except ModuleNotFoundError:  # a parent package is missing
        return False


def _program() -> str:
    """Return ``l0`` if a shell finds the ``l0`` of this environment by that name, else its path."""
    script = Path(sysconfig.get_path("scripts"), "l0")
    found = shutil.which("l0")
    if not script.exists() or (found is not None and Path(found).samefile(script)):
        return "l0"
    folder = Path.cwd()
    return str(script.relative_to(folder) if script.is_relative_to(folder) else script)
