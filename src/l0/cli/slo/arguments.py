"""The arguments of `l0 slo`."""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = """Service level objectives: two layers, attempts (how a provider does) and delivered (what users saw).
Without --file the default objectives hold. Exit code: 0, 1 for a check or test that fails, 2 for bad input."""


def add_arguments(slo: argparse.ArgumentParser) -> None:
    """One subcommand for each thing that can be done."""
    commands = slo.add_subparsers(dest="action", required=True, metavar="action")
    init = commands.add_parser("init", help="write a file of objectives to begin with")
    init.add_argument("path", type=Path, nargs="?", default=Path("slo.yaml"), help="(default: slo.yaml)")
    check = commands.add_parser("check", help="say what is wrong in a file of objectives")
    check.add_argument("path", type=Path, metavar="FILE")
    _objectives(commands.add_parser("rules", help="Prometheus recording and alert rules"))
    _objectives(commands.add_parser("dashboard", help="a dashboard for Grafana, as JSON"))
    _objectives(commands.add_parser("export", help="the objectives as OpenSLO v1"))
    taken = commands.add_parser("import", help="objectives of an OpenSLO v1 file, as slo.yaml")
    taken.add_argument("path", type=Path, metavar="FILE")
    _output(taken)
    test = commands.add_parser("test", help="test the rules with promtool")
    _file(test)
    test.add_argument("--output", type=Path, metavar="FILE", help="write the promtool tests here, and run nothing")
    test.add_argument("--rule-file", default="l0-slo-rules.yml", metavar="NAME", help="what these call the rules' file")
    status = commands.add_parser("status", help="how the objectives stand, as a Prometheus with the rules tells it")
    status.add_argument("--prometheus", required=True, metavar="URL", help="such as http://localhost:9090")
    status.add_argument("--hours", type=float, default=24.0, metavar="H", help="what the chart shows (default: 24)")
    status.add_argument("--plain", action="store_true", help="without colour and box characters")


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, metavar="FILE", help="objectives (default: the built-in ones)")


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, metavar="FILE", help="(default: standard output)")


def _objectives(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    _output(parser)
