"""Find the viewer that `l0 run --view` sends to, or start one that outlives the program."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from l0.cli.inputs import InputError
from l0.cli.viewer_api import NoServerError, ViewerClient, ViewerError

_NEEDED = ("starlette", "uvicorn", "opentelemetry.proto", "opentelemetry.exporter.otlp.proto.http")
_START_SECONDS = 30.0
_POLL_SECONDS = 0.05
_LAST_WORDS = 2_000
"""Characters of the log of a viewer that did not start."""


def viewer_for_run(port: int) -> str:
    """Return the address of the viewer on a port, which is started if there is none, and name it on stderr.

    Raises `InputError` if a package is missing, another program has the port, or the viewer does not start.
    """
    missing = [name for name in _NEEDED if not _is_installed(name)]
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
    """Let the viewers of this user look for recorded calls in a folder. If that fails, say so on stderr."""
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
    except ModuleNotFoundError:  # a package above it
        return False


def _start(viewer: ViewerClient) -> int | None:
    """Start a viewer. Return its process id; ``None`` if another run started one meanwhile. Raises `InputError`."""
    # The launcher ends at once, so that the viewer is no child of the program: a program may wait for all its children.
    command = [sys.executable, "-P", "-m", __name__, str(viewer.port)]
    started = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, text=True, check=False)
    if started.returncode == 0:
        return int(started.stdout)
    try:
        viewer.about()
    except ViewerError:
        raise InputError(f"--view: l0 view did not start: {started.stderr.strip()[-_LAST_WORDS:]}") from None
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
    """Wait until the viewer answers. Return False if it ends, or needs too long."""
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
