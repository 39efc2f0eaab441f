"""The arguments of `l0 slo`."""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = """Service level objectives in two layers: attempts (the provider's performance) and delivered (what users
receive). Without FILE, the default objectives are used. Exit code: 0 on success, 1 if a check or test fails, or for a
status that --fail-on names (by default a spent budget or an alert of severity page), 2 for invalid input."""
FAIL_ON = ("any", "page", "ticket", "spent", "never")
"""The values of ``--fail-on``."""


def add_arguments(slo: argparse.ArgumentParser) -> None:
    """Add one subcommand per action."""
    actions = slo.add_subparsers(dest="action", required=True, metavar="action")

    def add_action(name: str, effect: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=effect, description=f"{effect[0].upper()}{effect[1:]}.")

    init = add_action("init", "write a file with the default objectives")
    init.add_argument(
        "path", type=Path, nargs="?", default=Path("slo.yaml"), metavar="FILE", help="file to write (default: slo.yaml)"
    )
    check = add_action("check", "report mistakes in a file of objectives")
    check.add_argument("path", type=Path, metavar="FILE", help="file of objectives")
    _file_and_output(add_action("rules", "write Prometheus recording and alert rules"))
    _file_and_output(add_action("dashboard", "write a Grafana dashboard as JSON"))
    _file_and_output(add_action("export", "write the objectives as OpenSLO v1"))
    convert = add_action("import", "convert an OpenSLO v1 file to slo.yaml")
    convert.add_argument("path", type=Path, metavar="FILE", help="OpenSLO v1 file")
    _output(convert)
    test = add_action("test", "test the rules with promtool")
    _file(test)
    test.add_argument(
        "--output", type=Path, metavar="FILE", help="write the promtool tests to this file instead of running them"
    )
    test.add_argument(
        "--rule-file",
        default="l0-slo-rules.yml",
        metavar="NAME",
        help="file name by which these tests refer to the rules (default: l0-slo-rules.yml)",
    )
    status = add_action("status", "show the status of the objectives, from Prometheus with the rules, or from a store")
    source = status.add_mutually_exclusive_group(required=True)
    source.add_argument("--prometheus", metavar="URL", help="Prometheus server, such as http://localhost:9090")
    source.add_argument("--store", type=Path, metavar="FILE", help="file that l0.slo.start(store=FILE) writes")
    status.add_argument(
        "path", type=Path, nargs="?", metavar="FILE", help="with --store: file of objectives (default: built-in ones)"
    )
    status.add_argument("--file", type=Path, metavar="FILE", help="the same as FILE")
    status.add_argument(
        "--fail-on",
        choices=FAIL_ON,
        default="any",
        help="what exit code 1 means: page, an alert of severity page fires; ticket, one of any severity fires; "
        "spent, a budget is spent; any, page or spent; never, exit code 0 in each case (default: any)",
    )
    status.add_argument(
        "--hours", type=float, default=24.0, metavar="H", help="hours that the chart shows (default: 24)"
    )
    status.add_argument("--plain", action="store_true", help="print without colour and box characters")


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", type=Path, nargs="?", metavar="FILE", help="file of objectives (default: the built-in ones)"
    )
    parser.add_argument("--file", type=Path, metavar="FILE", help="the same as FILE")


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, metavar="FILE", help="file to write (default: standard output)")


def _file_and_output(parser: argparse.ArgumentParser) -> None:
    _file(parser)
    _output(parser)
