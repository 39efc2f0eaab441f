"""The `l0 replay` command: serve recorded calls as a provider in the foreground."""

from __future__ import annotations

import argparse
import sys
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from .inputs import InputError

if TYPE_CHECKING:
    from l0.replay.replay_server import ReplayServer

DESCRIPTION = """Serve recorded calls as a provider, byte for byte, with their timing and breaks, to any client: another
version of an SDK, another policy, another program. Each recorded attempt answers one request: the one with the same
method, path and body. A request that matches none gets status 404, with the nearest recorded request in its message. A
silence that made the recorded client give up lasts as long as it did, at any speed."""
_MAX_PATHS = 8
"""Paths that are listed when the server has started."""


def add_arguments(replay: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add = replay.add_argument
    add("path", type=Path, metavar="FILE|FOLDER", help="a recording (.l0), or a folder of them")
    add("--call", metavar="ID", help="serve only this call, named as in l0 explain")
    add("--speed", default="1", metavar="1|max", help="1: the recorded times (default); 10: ten times as fast; max")
    add(
        "--match",
        choices=["body", "order"],
        default="body",
        help="find the recorded request by its path and its body (default), or by its path and the recorded order",
    )
    add("--port", type=int, default=4010, help="port of 127.0.0.1; 0 means any free port (default: 4010)")


def replay(args: argparse.Namespace) -> int:
    """Run until SIGINT or SIGTERM. Raises `InputError` if the server cannot start."""
    from l0.recording.recording import RecordingError
    from l0.replay.replay_server import ReplayOptions, ReplayServer
    from l0.simulator.simulator_config import SimulatorConfig, SimulatorError

    from .simulate import serve_until_signal

    try:
        options = ReplayOptions(call=args.call, speed=_speed(args.speed), match=args.match)
        server = ReplayServer(args.path, options, SimulatorConfig(port=args.port))
        serve_until_signal(server, _started)
    except (RecordingError, SimulatorError, ValueError) as error:
        raise InputError(str(error)) from error
    return 0


def _speed(text: str) -> float:
    if text == "max":
        return inf
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--speed: got {text!r}, allowed: max, or a number above 0") from None


def _started(server: ReplayServer) -> None:
    for problem in server.recording.problems:
        print(f"l0 replay: {problem}", file=sys.stderr)
    paths = [f"{number} x {path}" for path, number in server.replay_script.paths.items()]
    more = [f"and {len(paths) - _MAX_PATHS} more paths"] * (len(paths) > _MAX_PATHS)
    lines = (
        f"{server.remaining} recorded request{'s' * (server.remaining != 1)} at {server.origin}",
        f"  openai:    base_url={server.openai}",
        f"  anthropic: base_url={server.anthropic}",
        *(f"  {text}" for text in [*paths[:_MAX_PATHS], *more]),
        "Press Ctrl-C to stop.",
    )
    print(*lines, sep="\n", flush=True)
