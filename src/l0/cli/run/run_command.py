"""The command `l0 run`: set up the environment, check that the program will be instrumented, and start it in place."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from l0.cli.inputs import InputError, check_range
from l0.model.named_policy import absolute, named_policy
from l0.model.policy_error import PolicyError
from l0.model.policy_from_environment import POLICY_OPTION
from l0.telemetry.otlp_request import ENDPOINTS, check_endpoint

from .program import Program, find_program
from .viewer_process import show_recordings, viewer_for_run

BOOTSTRAP = Path(__file__).with_name("bootstrap")
"""The folder of a ``sitecustomize``, which every Python process imports as it starts."""
_NOT_STARTED = 86
"""Exit code of the check if `startup` was not imported."""
_CHECK = f"import sys; sys.exit(0 if 'l0.cli.run.startup' in sys.modules else {_NOT_STARTED})"
_CHECK_SECONDS = 30
_ISOLATING = frozenset("ISE")
"""Flags of the interpreter with which it ignores ``PYTHONPATH`` or imports no ``sitecustomize``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """The options of the command. ``policy``: a preset, or ``FILE.py:NAME``. ``otlp``: base URL of an OTLP/HTTP
    collector. ``console``: show each call on stderr. ``view``: the port of the viewer that shows the calls. ``record``:
    the folder in which calls are recorded. ``log``: the file for log lines in JSON.
    """

    policy: str | None = None
    otlp: str | None = None
    console: bool = False
    view: int | None = None
    record: str | None = None
    log: str | None = None


def run(target: Sequence[str], options: LaunchOptions) -> int:
    """Replace this process by the program, so that signals, terminal and exit code are the program's own.

    Raises `InputError` if the program cannot be found or started. Warns on stderr if the program, as far as can be
    known before it runs, will not be instrumented.
    """
    program = find_program(target)
    if options.view is not None:
        options = _with_viewer(options, options.view)
    environment = run_environment(os.environ, options, program.name)
    problem = _why_not_instrumented(program, environment)
    if problem is not None:
        print(f"l0 run: {problem}", file=sys.stderr, flush=True)
    try:
        os.execve(program.arguments[0], program.arguments, environment)
    except OSError as error:
        raise InputError(f"program: {program.arguments[0]} cannot be started: {error.strerror}") from error


def _with_viewer(options: LaunchOptions, port: int) -> LaunchOptions:
    """Return options that export to the viewer. Start it if it does not run. Raises `InputError`."""
    check_range("--view-port", port, 1, 65_535)
    if options.otlp is not None:
        raise InputError(f"--otlp: got {options.otlp!r} beside --view, allowed: one of them")
    origin = viewer_for_run(port)
    folder = options.record or os.environ.get("L0_RECORD")
    if folder:
        show_recordings(os.path.abspath(folder))  # noqa: PTH100 - removes "..", which `Path.absolute` keeps
    return replace(options, otlp=origin)


def run_environment(environ: Mapping[str, str], options: LaunchOptions, name: str) -> dict[str, str]:
    """Return the environment of the program. ``name``: the default of its service name. Raises `InputError`."""
    environment = dict(environ)
    python_path = environment.get("PYTHONPATH", "")
    folders = [folder for folder in python_path.split(os.pathsep) if folder and folder != str(BOOTSTRAP)]
    environment["PYTHONPATH"] = os.pathsep.join([str(BOOTSTRAP), *folders])
    if "service.name=" not in environment.get("OTEL_RESOURCE_ATTRIBUTES", "").replace(" ", ""):
        environment["OTEL_SERVICE_NAME"] = environment.get("OTEL_SERVICE_NAME") or name
    try:
        if options.policy is not None:
            named_policy(options.policy, "--policy")
            environment["L0_POLICY"] = environment[POLICY_OPTION] = absolute(options.policy)
        if options.console:
            environment["L0_CONSOLE"] = "1"
        for variable, path in (("L0_RECORD", options.record), ("L0_LOG", options.log)):
            if path is not None:
                environment[variable] = os.path.abspath(path)  # noqa: PTH100 - the program may change folders
        if options.otlp is not None:
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = check_endpoint(options.otlp) or ""
            environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
        if options.view is not None:
            for variable in ENDPOINTS[1:]:  # endpoints of single signals, which would override that of the viewer
                environment.pop(variable, None)
            environment.setdefault("L0_TIMELINE", "1")
    except PolicyError as error:
        raise InputError(str(error)) from error
    return environment


def _is_this_python(executable: str) -> bool:
    """Return True for the running interpreter in the same environment, under any of its names."""
    running = Path(sys.executable)
    return Path(executable).parent == running.parent and Path(executable).resolve() == running.resolve()


def _why_not_instrumented(program: Program, environment: Mapping[str, str]) -> str | None:
    """Return the reason why the program will not be instrumented; ``None`` if it will be."""
    if program.interpreter is None:
        name = Path(program.arguments[0]).name
        return f"{name} is not a Python program; only the Python processes that it starts are instrumented"
    if len(program.interpreter) == 1 and _is_this_python(program.interpreter[0]):
        return None
    command = [*program.interpreter, "-c", _CHECK]
    try:
        # The output is discarded, because the program will print the same when it starts.
        checked = subprocess.run(
            command, env=environment, capture_output=True, timeout=_CHECK_SECONDS, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"whether {program.interpreter[0]} imports l0 could not be checked ({type(error).__name__})"
    if checked.returncode != _NOT_STARTED:
        return None
    flags = program.interpreter[1:]
    if any(set(flag) & _ISOLATING for flag in flags if not flag.startswith("--")):
        return f"{' '.join(flags)} makes Python ignore PYTHONPATH or site: the program is NOT instrumented"
    return f"l0 cannot be imported by {program.interpreter[0]}: the program is NOT instrumented"
