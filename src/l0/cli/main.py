"""The `l0` command: reads arguments, and leaves the rest to the command's own module, imported only then."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from l0.cli.inputs import InputError
from l0.cli.slo import arguments as slo

_DEMO = """The same calls twice through a simulated provider that breaks answers: with the bare SDKs, then after
l0.instrument(). Exit code: 0 if l0 let no wrong answer pass, 1 if it did, 2 for bad input."""
_DOCTOR = """What is installed, what l0 does with it, and whether it works: one streamed answer of each kind from a
simulated provider on loopback. Exit code: 0 if all is well, 1 if not."""
_SIMULATE = """Run the simulated provider (OpenAI and Anthropic dialects) until it is interrupted. What goes wrong is
asked for by the header x-l0-simulate, or by [[simulate: ...]] in a prompt: 'status 503', 'answer story | empty'."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. 2 is bad input, 130 an interruption."""
    given = _parser().parse_args(arguments)
    try:
        return _COMMANDS[given.command](given)
    except InputError as error:
        print(f"l0 {given.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _demo(given: argparse.Namespace) -> int:
    from l0.cli.demo.command import demo
    from l0.cli.demo.state import Options

    options = Options(
        calls=given.calls,
        concurrency=given.concurrency,
        seed=given.seed,
        fault_share=given.fault_share,
        traffic=given.traffic,
        otlp=given.otlp,
    )
    return demo(options, plain=given.plain, svg=given.svg)


def _simulate(given: argparse.Namespace) -> int:
    from l0.cli.simulate import configuration, simulate

    return simulate(configuration(given))


def _doctor(given: argparse.Namespace) -> int:  # noqa: ARG001 - every command takes the arguments
    from l0.cli.doctor import doctor

    return doctor()


def _slo(given: argparse.Namespace) -> int:
    from l0.cli.slo.command import slo as run

    return run(given)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "demo": _demo,
    "simulate": _simulate,
    "doctor": _doctor,
    "slo": _slo,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="l0", description="Reliable, visible streams of LLM calls.")
    parser.add_argument("--version", action="version", version=f"l0-otel {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _demo_arguments(commands.add_parser("demo", help="what l0 does, on a provider that breaks", description=_DEMO))
    commands.add_parser("doctor", help="what is installed and patched", description=_DOCTOR)
    _simulate_arguments(commands.add_parser("simulate", help="run the simulated provider", description=_SIMULATE))
    slo.add_arguments(
        commands.add_parser("slo", help="objectives: rules, dashboard, status", description=slo.DESCRIPTION)
    )
    return parser


def _demo_arguments(demo: argparse.ArgumentParser) -> None:
    add = demo.add_argument
    add("--calls", type=int, default=600, metavar="N", help="calls in each of the two runs (default: 600)")
    add("--concurrency", type=int, default=32, metavar="N", help="calls at a time (default: 32)")
    add("--seed", type=int, default=0, metavar="N", help="decides which answers break, and how (default: 0)")
    add("--fault-share", type=float, default=0.3, metavar="X", help="share of requests that break (default: 0.3)")
    add("--traffic", type=Path, metavar="DIR", help="play recorded streams from this folder as well")
    add("--otlp", metavar="URL", help="export to this OTLP/HTTP collector, as http://localhost:4318")
    add(
        "--plain",
        action="store_true",
        help="only the final tables, without colour (default where output is no terminal)",
    )
    add("--svg", type=Path, metavar="FILE", help="save the final screen as a picture")


def _simulate_arguments(simulate: argparse.ArgumentParser) -> None:
    add = simulate.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: loopback; nothing here authenticates)")
    add("--port", type=int, default=4010, help="port to listen on; 0 takes a free one (default: 4010)")
    add("--seed", type=int, default=0, metavar="N", help="decides ids and delays (default: 0)")
    add("--traffic", type=Path, metavar="DIR", help="answer streams from the recorded ones in this folder, in turn")
    add("--first-token-ms", type=float, default=0.0, metavar="MS", help="median time to the first token (default: 0)")
    add("--inter-token-ms", type=float, default=0.0, metavar="MS", help="median time between tokens (default: 0)")
    add("--sigma", type=float, default=0.5, metavar="X", help="spread of these, log-normal (default: 0.5)")
    add("--stragglers", type=float, default=0.0, metavar="X", help="share of requests that are slow (default: 0)")
    add("--straggler-factor", type=float, default=10.0, metavar="X", help="how much slower they are (default: 10)")


def _version() -> str:
    try:
        return version("l0-otel")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
