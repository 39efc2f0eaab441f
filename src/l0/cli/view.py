"""The `l0 view` command: run the local viewer in the foreground."""

from __future__ import annotations

import argparse
import os
import signal
import webbrowser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .inputs import InputError, check_range

if TYPE_CHECKING:
    from l0.viewer.viewer_server import ViewerConfig, ViewerServer

DEFAULT_PORT = 4318
DESCRIPTION = """Show the calls of your programs in a local web page. l0 view receives OpenTelemetry over HTTP (OTLP,
protobuf or JSON) at http://127.0.0.1:4318, where exporters send by default; for an instrumented program that is
l0.instrument(otlp=True). Spans of any sender are kept, and those of calls to models are listed. Of metrics, only the
error budgets and burn rates of objectives are kept, and logs are accepted and dropped. The page of a recorded call
shows its bytes and decisions, and replays the flow of its tokens."""
EPILOG = """What is kept: the last 100,000 calls and their traces, at most 1,000 MB, in a file that only you can read:
view.db in the folder l0 of your state directory ($XDG_STATE_HOME or ~/.local/state; on macOS
~/Library/Application Support; on Windows %LOCALAPPDATA%). The oldest are deleted first. Prompts and answers are kept
only if your program captures them. Delete the file to forget everything. Only programs and browsers on this machine can
connect. Exit code: 0 after an interruption, 2 for invalid input."""


def add_arguments(view: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = view.add_argument
    add("--port", type=int, default=DEFAULT_PORT, help="port of 127.0.0.1; 0 means any free port (default: 4318)")
    add("--db", type=Path, metavar="FILE", help="the file that keeps the calls (default: see below)")
    add("--keep-calls", type=int, default=100_000, metavar="N", help="number of calls to keep (default: 100000)")
    add("--keep-mb", type=int, default=1_000, metavar="MB", help="megabytes of data to keep (default: 1000)")
    add(
        "--recordings",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="a folder of recorded calls; may be repeated (always: $L0_RECORD, and the folders of l0 run --view)",
    )
    add("--open", action="store_true", help="open the page in your browser")


def view(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM, then write what was received. Raises `InputError` if the viewer cannot start."""
    check_range("--port", args.port, 0, 65_535)
    check_range("--keep-calls", args.keep_calls, 1, 10_000_000)
    check_range("--keep-mb", args.keep_mb, 1, 1_000_000)
    for folder in args.recordings:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"--recordings: got {str(folder)!r}, allowed: a folder of recorded calls")
    try:
        from l0.viewer.database_file import DatabaseError
        from l0.viewer.viewer_server import PortTakenError, serve
    except ImportError as error:
        raise InputError(f"the viewer needs an extra: pip install 'l0-otel[viewer]' ({error})") from error
    # Background jobs of a shell script inherit an ignored SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        serve(_configuration(args), partial(_started, args))
    except PortTakenError as error:
        raise InputError(
            f"{error}; another `l0 view` or a Collector may already use this port. Choose a different port with --port."
        ) from error
    except DatabaseError as error:
        raise InputError(str(error)) from error
    except KeyboardInterrupt:  # uvicorn raises the signal again after its shutdown
        pass
    return 0


def _configuration(args: argparse.Namespace) -> ViewerConfig:
    from l0.viewer.database_file import default_path
    from l0.viewer.recording_folders import RecordingFolders, default_folders_file
    from l0.viewer.retention import StoreLimits
    from l0.viewer.viewer_server import ViewerConfig

    limits = StoreLimits(max_calls=args.keep_calls, max_bytes=args.keep_mb * 1_000_000)
    named = [*args.recordings, *(Path(folder) for folder in (os.environ.get("L0_RECORD"),) if folder)]
    recordings = RecordingFolders(named=named, folders_file=default_folders_file())
    return ViewerConfig(port=args.port, database=args.db or default_path(), limits=limits, recordings=recordings)


def _started(args: argparse.Namespace, server: ViewerServer) -> None:
    lines = (
        f"l0 view at {server.origin}",
        f"  send to it:  OTEL_EXPORTER_OTLP_ENDPOINT={server.origin}, or l0.instrument(otlp={server.origin!r})",
        f"  kept in:     {server.database}",
        "Press Ctrl-C to stop.",
    )
    print(*lines, sep="\n", flush=True)
    if args.open:
        webbrowser.open(server.origin)
