"""The `l0` command: parse the arguments, then import and run the module of the command.

Modules are imported only when needed, so that `l0 --help` is fast and requires no extra.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import l0

from . import completion as completer
from . import explain as explainer
from . import replay as replayer
from . import view as viewer
from .inputs import InputError
from .slo import arguments as slo
from .top import top_arguments as top

_BACKTEST = """Show what other policies would have done to recorded calls. Each call runs through the engine again, on a
virtual clock. Attempts that were not recorded are drawn, with a seed, from recorded attempts of the same provider,
model and hour; with too few of them, the result is unknown. Exit code: 2 for invalid input."""
_DEMO = """Make the same calls three times to a simulated provider that breaks answers: with the bare SDKs, after
l0.instrument(), and with the policy for agents, which delivers complete answers only. No key, no network. The results
depend only on the seed. Exit code: 0 if l0 delivered no broken answer, 1 if it did, 2 for invalid input, 130 after an
interruption, which shows the results so far."""
_DOCTOR = """Show which SDKs are installed, what L0 patches in them, and which policy applies, with the source of each
field. Check that it works: read one streamed answer per API from a simulated provider on loopback. Exit code: 0 if
there is no problem, 1 if there is one."""
_RUN = """Run a program with its LLM calls instrumented: a script, -m MODULE, or an installed command such as uvicorn.
It also instruments the Python processes that the program starts (workers, reloaders, children). Without a policy, L0
keeps the SDKs' own retries and timeouts, and reports every failure. Exit code: that of the program; 2 for invalid
input."""
_SIMULATE = """Run the simulated provider (OpenAI and Anthropic dialects) until it is interrupted. Request a fault with
the header x-l0-simulate, with [[simulate: ...]] in the newest message or the system prompt, or with --on: 'status 503
rate=0.3', 'answer story | empty', or 'clean-end at_event=6; ok' for an answer that breaks off and whose retry is
complete. A request with an unknown word gets the list of all words."""

_CLOSED_OUTPUT = 141
"""The exit code that a shell shows for a program that SIGPIPE ended: 128 + 13. Python ignores that signal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 2 for invalid input, 130 after an interruption, 141 if nobody reads its
    output any longer."""
    try:
        try:
            return _run_command(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here and not at the exit of the interpreter, which reports a closed pipe
    except BrokenPipeError:
        _discard_output()
        return _CLOSED_OUTPUT


def _run_command(arguments: Sequence[str] | None) -> int:
    args = _parser().parse_args(arguments)
    try:
        return _COMMANDS[args.command](args)
    except InputError as error:
        print(f"l0 {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _discard_output() -> None:
    """Send what is still buffered nowhere. The interpreter writes it at its exit, and would report the closed pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _demo(args: argparse.Namespace) -> int:
    from .demo.demo_command import demo
    from .demo.demo_state import DemoOptions

    options = DemoOptions(
        calls=args.calls,
        concurrency=args.concurrency,
        seed=args.seed,
        fault_share=args.fault_share,
        traffic=args.traffic,
        otlp=args.otlp,
    )
    return demo(options, plain=args.plain, details=args.details, svg=args.svg)


def _backtest(args: argparse.Namespace) -> int:
    from .backtest import run_backtest

    return run_backtest(args)


def _run(args: argparse.Namespace) -> int:
    from .run.run_command import LaunchOptions, run

    target = args.program if args.module is None else ["-m", *args.module]
    view = viewer.DEFAULT_PORT if args.view and args.view_port is None else args.view_port
    options = LaunchOptions(
        policy=args.policy,
        otlp=args.otlp,
        console=args.console,
        view=view,
        record=args.record,
        log=args.log,
    )
    return run(target, options)


def _simulate(args: argparse.Namespace) -> int:
    from .simulate import configuration, simulate

    return simulate(configuration(args), log=args.log)


def _doctor(args: argparse.Namespace) -> int:
    from .doctor import doctor

    return doctor(as_json=args.json)


def _top(args: argparse.Namespace) -> int:
    from .top.top_command import top as run

    return run(args)


def _view(args: argparse.Namespace) -> int:
    return viewer.view(args)


def _replay(args: argparse.Namespace) -> int:
    return replayer.replay(args)


def _explain(args: argparse.Namespace) -> int:
    return explainer.explain(args)


def _completion(args: argparse.Namespace) -> int:
    return completer.print_completion(_parser(), args.shell)


def _slo(args: argparse.Namespace) -> int:
    from .slo.slo_command import slo as run

    return run(args)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "backtest": _backtest,
    "completion": _completion,
    "demo": _demo,
    "run": _run,
    "simulate": _simulate,
    "doctor": _doctor,
    "replay": _replay,
    "explain": _explain,
    "slo": _slo,
    "top": _top,
    "view": _view,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="l0", description="Reliable and observable LLM streams.")
    parser.add_argument("--version", action="version", version=f"l0-otel {l0.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _demo_arguments(
        commands.add_parser("demo", help="compare bare and instrumented SDKs with a faulty provider", description=_DEMO)
    )
    _backtest_arguments(
        commands.add_parser("backtest", help="run recorded calls under other policies", description=_BACKTEST)
    )
    _run_arguments(
        commands.add_parser(
            "run",
            help="run a program with its LLM calls instrumented",
            description=_RUN,
            usage="l0 run [options] (PROGRAM | -m MODULE) [argument ...]",
        )
    )
    doctor = commands.add_parser("doctor", help="check the installation", description=_DOCTOR)
    doctor.add_argument("--json", action="store_true", help="print the report as a JSON object")
    _simulate_arguments(
        commands.add_parser("simulate", help="run the simulated provider", description=_SIMULATE, add_help=False)
    )
    replayer.add_arguments(
        commands.add_parser("replay", help="serve recorded calls as a provider", description=replayer.DESCRIPTION)
    )
    explainer.add_arguments(
        commands.add_parser("explain", help="explain a recorded call step by step", description=explainer.DESCRIPTION)
    )
    viewer.add_arguments(
        commands.add_parser(
            "view",
            help="show the calls of your programs in a local web page",
            description=viewer.DESCRIPTION,
            epilog=viewer.EPILOG,
        )
    )
    top.add_arguments(
        commands.add_parser("top", help="show the overview of l0 view in the terminal", description=top.DESCRIPTION)
    )
    slo.add_arguments(
        commands.add_parser(
            "slo", help="service level objectives: rules, dashboard, status", description=slo.DESCRIPTION
        )
    )
    completer.add_arguments(
        commands.add_parser(
            "completion", help="print a script that completes l0 in a shell", description=completer.DESCRIPTION
        )
    )
    return parser


def _demo_arguments(demo: argparse.ArgumentParser) -> None:
    add = demo.add_argument
    add("--calls", type=int, default=600, metavar="N", help="number of calls in each of the three runs (default: 600)")
    add("--concurrency", type=int, default=64, metavar="N", help="number of concurrent calls (default: 64)")
    add("--seed", type=int, default=0, metavar="N", help="seed for the choice of faults (default: 0)")
    add("--fault-share", type=float, default=0.3, metavar="X", help="share of faulty requests, 0 to 1 (default: 0.3)")
    add("--traffic", type=Path, metavar="DIR", help="also replay recorded streams from this folder")
    add("--otlp", metavar="URL", help="export to this OTLP/HTTP collector, such as http://localhost:4318")
    add(
        "--plain",
        action="store_true",
        help="print plain text, without colour and progress (default if the output is not a terminal)",
    )
    add("--details", action="store_true", help="also show the results by API and by the cause of the failure")
    add("--svg", type=Path, metavar="FILE", help="save the final screen as an SVG image")


def _backtest_arguments(backtest: argparse.ArgumentParser) -> None:
    add = backtest.add_argument
    add("recording", type=Path, nargs="+", metavar="PATH", help="recordings, or folders of recordings")
    add(
        "--policy",
        action="append",
        default=[],
        metavar="NAME",
        help="a preset, or FILE.py:NAME of a Policy or of a function that returns one; may be repeated",
    )
    add("--seed", type=int, default=0, metavar="N", help="seed of the drawn attempts and of jitter (default: 0)")
    add("--changes", action="store_true", help="also list every call that changes")
    add("--search", action="store_true", help="try time limits, hedges and retries around the first policy")
    add("--json", action="store_true", help="print the result of every call as JSON")
    add("--plot", type=Path, metavar="FILE", help="write a picture of the policies to this file (SVG)")
    where = backtest.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, default=1, metavar="N", help="run policies in this many processes")
    where.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="run policies on this Ray cluster; without an address: that of RAY_ADDRESS, or one on this machine",
    )


def _run_arguments(run: argparse.ArgumentParser) -> None:
    add = run.add_argument
    add(
        "--policy",
        metavar="NAME",
        help="a preset, or FILE.py:NAME of a Policy or of a function that returns one, as in L0_POLICY (default: the "
        "SDKs' own behaviour)",
    )
    add("--record", metavar="DIR", help="record every call in this folder")
    add("--log", metavar="FILE", help="append each failure and recovery to this file as a line of JSON, as L0_LOG")
    add("--otlp", metavar="URL", help="export to this OTLP/HTTP collector, such as http://localhost:4318")
    add("--console", action="store_true", help="show each call on stderr, and a summary at the end, as L0_CONSOLE=1")
    add("--view", action="store_true", help="show the calls in l0 view; if none runs, one is started and keeps running")
    add("--view-port", type=int, metavar="N", help="port of l0 view (default: 4318); implies --view")
    add("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help="run a module, as python -m does")
    add("program", nargs=argparse.REMAINDER, metavar="PROGRAM", help="script or command, followed by its arguments")


class _SimulateHelp(argparse.Action):
    """An option that prints the help with the table of all answers and faults. The table is built only for this."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from l0.simulator.vocabulary import help_text

        parser.print_help()
        print(f"\n{help_text()}")
        parser.exit()


def _simulate_arguments(simulate: argparse.ArgumentParser) -> None:
    add = simulate.add_argument
    add("-h", "--help", nargs=0, action=_SimulateHelp, help="show this help message and exit")
    add(
        "--on",
        nargs=2,
        action="append",
        default=[],
        metavar=("PATTERN", "REPLY"),
        help="reply to requests whose last user message matches this regular expression ('': all requests), such as "
        "--on weather \"text 'It rains.'\" --on '' 'status 503 rate=0.3'; may be repeated, the first match counts",
    )
    add("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    add(
        "--host-name",
        action="append",
        default=[],
        metavar="NAME",
        help="also answer requests whose Host header has this name; may be repeated (default: loopback names only)",
    )
    add("--port", type=int, default=4010, help="port to listen on; 0 means any free port (default: 4010)")
    add("--seed", type=int, default=0, metavar="N", help="seed for ids and delays (default: 0)")
    add("--api-key", action="append", default=[], metavar="KEY", help="refuse other keys with 401; may be repeated")
    add("--model", action="append", default=[], metavar="NAME", help="refuse other models with 404; may be repeated")
    add("--context-tokens", type=int, metavar="N", help="refuse requests with more tokens (default: no limit)")
    add("--requests-per-minute", type=int, metavar="N", help="refuse more requests with 429 (default: no limit)")
    add("--input-tokens-per-minute", type=int, metavar="N", help="refuse more tokens with 429 (default: no limit)")
    add("--traffic", type=Path, metavar="DIR", help="answer with the recorded streams in this folder, in turn")
    add("--log", action="store_true", help="print a line for each request, with what was sent")
    add(
        "--latency",
        metavar="MODEL",
        help="delays as measured for a model, such as gpt-5.4; the options below change them",
    )
    add("--first-token-ms", type=float, metavar="MS", help="median time to the first content (default: 0)")
    add("--inter-token-ms", type=float, metavar="MS", help="median time between tokens (default: 0)")
    add("--sigma", type=float, metavar="X", help="sigma of the log-normal delays (default: 0.5)")
    add("--stragglers", type=float, metavar="X", help="share of slow requests, 0 to 1 (default: 0)")
    add("--straggler-factor", type=float, metavar="X", help="slowdown of slow requests (default: 10)")
    add("--load-factor", type=float, metavar="X", help="slowdown with --capacity concurrent requests (default: 1)")
    add("--capacity", type=int, metavar="N", help="concurrent requests at which --load-factor applies (default: 8)")
