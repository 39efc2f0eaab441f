"""The `l0 simulate` command: run the simulated provider in the foreground."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from l0.model.text_safety import one_line
from l0.simulator.access import RateLimits
from l0.simulator.latency_profiles import profile
from l0.simulator.ledger import Received
from l0.simulator.pacing import Delays
from l0.simulator.server import Simulator, run
from l0.simulator.simulator_config import SimulatorConfig, SimulatorError

from .inputs import InputError

S = TypeVar("S", bound=Simulator)
_GRACE_SECONDS = 3
"""Seconds that the server may take to shut down."""
_MAX_LINE = 300
"""Characters of a line of the request log."""


def configuration(args: argparse.Namespace) -> SimulatorConfig:
    """Return the configuration for the command's arguments. Raises `InputError` for an invalid value."""
    try:
        delays = _delays(args)
        return SimulatorConfig(
            host=args.host,
            port=args.port,
            seed=args.seed,
            # Sigma, stragglers and load only vary the two delays: without these, the simulator does not wait at all.
            delays=delays if delays.first_token_ms or delays.inter_token_ms else None,
            traffic_dir=args.traffic,
            host_names=tuple(args.host_name),
            api_keys=tuple(args.api_key),
            models=tuple(args.model),
            context_tokens=args.context_tokens,
            rate_limits=RateLimits(
                requests_per_minute=args.requests_per_minute,
                input_tokens_per_minute=args.input_tokens_per_minute,
            ),
            replies=tuple((pattern, reply) for pattern, reply in args.on),
        )
    except ValueError as error:
        raise InputError(str(error)) from error


def _delays(args: argparse.Namespace) -> Delays:
    """Return the delays of the profile, if one is given, with those that the other options change."""
    options = ("first_token_ms", "inter_token_ms", "sigma", "stragglers", "straggler_factor", "load_factor", "capacity")
    changed = {name: getattr(args, name) for name in options if getattr(args, name) is not None}
    return replace(profile(args.latency) if args.latency else Delays(), **changed)


def simulate(config: SimulatorConfig, *, log: bool = False) -> int:
    """Run until SIGINT or SIGTERM, then shut down cleanly. Raises `InputError` if the server cannot start.

    ``log``: print a line for each request.
    """
    try:
        serve_until_signal(Simulator(config, _print_request if log else None), _started)
    except SimulatorError as error:
        raise InputError(str(error)) from error
    return 0


def serve_until_signal(simulator: S, started: Callable[[S], None]) -> None:
    """Run a simulator until SIGINT or SIGTERM, then shut down cleanly. Raises `SimulatorError` if it cannot start."""
    # Background jobs of a shell script inherit an ignored SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminate)
    run(simulator, started)


def _print_request(received: Received) -> None:
    try:
        print(f"{time.strftime('%H:%M:%S')} {request_line(received)}", flush=True)
    except BrokenPipeError:  # nobody reads the lines any longer
        _terminate()


def request_line(received: Received) -> str:
    """Return one line about a request: what it asked for, and what was sent."""
    body = received.body if isinstance(received.body, dict) else {}
    requested = [received.method, received.path, str(body["model"]) if isinstance(body.get("model"), str) else ""]
    sent = [received.answered]
    if body.get("stream") is True:
        sent.append(f"{received.sent_events} event{'s' * (received.sent_events != 1)}")
    if received.disconnected:
        sent.append("the client left")
    return one_line(f"{' '.join(filter(None, requested))}: {', '.join(sent)}", _MAX_LINE)


def _terminate(*_: object) -> None:
    """Shut down cleanly. If the process still runs after the grace period, the system ends it."""
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_GRACE_SECONDS)
    signal.raise_signal(signal.SIGINT)


def _started(simulator: Simulator) -> None:
    lines = (
        f"simulated provider at {simulator.origin}",
        f"  openai:    base_url={simulator.openai}",
        f"  anthropic: base_url={simulator.anthropic}",
        "Press Ctrl-C to stop.",
    )
    print(*lines, sep="\n", flush=True)
