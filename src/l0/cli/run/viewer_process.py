"""Find the viewer to which `l0 run --view` exports, or start one that outlives the program."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from l0.cli.inputs import InputError
from l0.cli.viewer_api import NoServerError, ViewerClient, ViewerError

_REQUIRED_MODULES = ("starlette", "uvicorn", "opentelemetry.proto", "opentelemetry.exporter.otlp.proto.http")
_START_SECONDS = 30.0
_POLL_SECONDS = 0.05
_MAX_LOG = 2_000
"""Characters at the end of the log of a viewer that did not start, for the error message."""


def viewer_for_run(port: int) -> str:
    """Return the address of the viewer on a port, and print it to stderr. Start the viewer if there is none.

    Raises `InputError` if a package is missing, another program has the port, or the viewer does not start.
    """
    missing = [name for name in _REQUIRED_MODULES if not _is_installed(name)]
    if missing:
        raise InputError(f"--view needs two extras: pip install 'l0-otel[viewer,otlp]' (no {missing[0]})")
    viewer = ViewerClient(port)
    process = None
    try:
        viewer.about()
    except NoServerError:
        process = _start(viewer)
    except ViewerError as error:
        raise InputError(f"--view: {error}; name another port with --view-port") from error
    started = f"; l0 view stays after the program ends, and ends with: kill {process}" if process is not None else ""
    print(f"l0 run: calls are shown at {viewer.origin}{started}", file=sys.stderr, flush=True)
    return viewer.origin


def show_recordings(folder: str) -> None:
    """Add a folder to those in which the viewers of this user look for recorded calls. Report a failure on stderr."""
    from l0.viewer.recording_folders import default_folders_file, list_folder

    try:
        list_folder(default_folders_file(), Path(folder))
    except OSError as error:
        reason = f"{default_folders_file()} cannot be written ({error.strerror})"
        print(
            f"l0 run: {reason}; recorded calls are shown by: l0 view --recordings {folder}", file=sys.stderr, flush=True
        )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def _start(viewer: ViewerClient) -> int | None:
    """Start a viewer. Return its process id; ``None`` if another run started one meanwhile. Raises `InputError`."""
    # The viewer is started by a launcher that ends at once. As a child of this process, which becomes the program, it
    # would block a program that waits for all its children.
    command = [sys.executable, "-P", "-m", __name__, str(viewer.port)]
    started = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, text=True, check=False)
    if started.returncode == 0:
        return int(started.stdout)
    try:
        viewer.about()
    except ViewerError:
        raise InputError(f"--view: l0 view did not start: {started.stderr.strip()[-_MAX_LOG:]}") from None
    return None


def launch(port: int) -> int:
    """Start a viewer in a new session, wait until it answers, and print its process id. Return an exit code."""
    from l0.viewer.database_file import default_path

    folder = default_path().parent
    log = folder / "view.log"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        output = log.open("w", encoding="utf-8")
    except OSError as error:
        print(f"{log} cannot be written ({error.strerror})", file=sys.stderr)
        return 1
    with output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "l0", "view", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
        )
    if _answers(ViewerClient(port), process):
        print(process.pid)
        return 0
    process.kill()
    process.wait()
    print(log.read_text(encoding="utf-8", errors="replace"), file=sys.stderr)
    return 1


def _answers(viewer: ViewerClient, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the viewer answers. Return False if it ends, or takes too long."""
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            viewer.about()
            return True
        except ViewerError:
            time.sleep(_POLL_SECONDS)
    return False


if __name__ == "__main__":
    sys.exit(launch(int(sys.argv[1])))
