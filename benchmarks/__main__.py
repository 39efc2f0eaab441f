"""`python -m benchmarks`: measure, print the summary, and write the result (JSON), its page and its picture.

A round of all cases uses at least 3 minutes of CPU time, and with `--peers` 2 more. A variant that has not finished a
case after 5 minutes is reported as such, and takes no part in further rounds of that case.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from os.path import relpath
from pathlib import Path
from time import perf_counter

from . import peers
from .cases import CASES, Case
from .conductor import play
from .page import page, summary
from .plot import plot
from .report import Report, beside_peers, summarise
from .variants import OWN

_ROOT = Path(__file__).parents[1]
_RESULTS = _ROOT / "benchmarks" / "results"
REFERENCE = "reference"
"""The name of the result that the documentation shows."""
_FIGURES = re.compile(r"\[[-\d.,\s]+\]")


def main() -> int:
    """Return 0 if everything was measured, whatever the results; 2 if no case was selected."""
    args = _arguments()
    path = _RESULTS / f"{args.name}.json"
    if not args.draw:
        cases = _cases(args)
        if not cases:
            groups = ", ".join(dict.fromkeys(case.group for case in CASES))
            sys.stderr.write(f"--only {args.only}: no such case; groups are {groups}\n")
            return 2
        variants, unavailable = _variants(args.peers)
        rounds = args.rounds or (2 if args.quick else 5)
        began = perf_counter()
        result = summarise(cases, play(cases, variants, rounds, _show_progress), rounds, unavailable)
        _show_progress("")
        sys.stdout.write(f"{rounds} rounds in {(perf_counter() - began) / 60:.1f} minutes\n\n")
        path.write_text(_FIGURES.sub(_on_one_line, json.dumps(result, indent=1)) + "\n", encoding="utf-8")
    result = json.loads(path.read_text(encoding="utf-8"))
    sys.stdout.write(f"{summary(result)}\n")
    for file in (path, *publish(result, args.name)):
        sys.stdout.write(f"{file.relative_to(_ROOT)}\n")
    return 0


def publish(result: Report, name: str) -> list[Path]:
    """Write the page and the picture of a result: the reference's into the documentation. Return their paths."""
    page_path, plot_path = paths_of(name)
    page_path.write_text(page(result, name, relpath(plot_path, page_path.parent)), encoding="utf-8")
    if not beside_peers(result):
        return [page_path]
    plot_path.write_text(plot(result), encoding="utf-8")
    return [page_path, plot_path]


def paths_of(name: str) -> tuple[Path, Path]:
    """Return the paths of the page and of the picture of a result."""
    if name == REFERENCE:
        return _ROOT / "docs" / "benchmarks.md", _ROOT / "docs" / "images" / "benchmarks.svg"
    return _RESULTS / f"{name}.md", _RESULTS / f"{name}.svg"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the most important cases only, two rounds")
    parser.add_argument("--peers", action="store_true", help="other libraries as well, each in its own environment")
    parser.add_argument("--rounds", type=int, help="how often each case runs (default 5; 2 with --quick)")
    parser.add_argument("--only", help="only cases whose name or group contains this text")
    parser.add_argument(
        "--name", default="latest", help=f"the result's file name (default: latest); {REFERENCE}: that of the docs"
    )
    parser.add_argument("--draw", action="store_true", help="measure nothing: write page and picture of the result")
    args = parser.parse_args()
    if args.name == REFERENCE and (args.quick or args.only):
        parser.error(f"{REFERENCE} has every case: leave out --quick and --only")
    return args


def _cases(args: argparse.Namespace) -> tuple[Case, ...]:
    chosen = [case for case in CASES if case.quick] if args.quick else CASES
    text = args.only or ""
    return tuple(case for case in chosen if text in case.name or text in case.group)


def _variants(with_peers: bool) -> tuple[dict[str, Path], dict[str, str]]:
    """Return interpreters by variant, and why other variants are missing."""
    found = {name: Path(sys.executable) for name in OWN}
    unavailable: dict[str, str] = {}
    for peer in peers.PEERS.values() if with_peers else ():
        _show_progress(f"environment of {peer.title}")
        try:
            found[peer.name] = peers.python_of(peer)
        except peers.UnavailableError as reason:
            unavailable[peer.title] = str(reason)
    return found, unavailable


def _on_one_line(figures: re.Match[str]) -> str:
    return " ".join(figures[0].split()).replace("[ ", "[").replace(" ]", "]")


def _show_progress(text: str) -> None:
    """Show progress: in place on a terminal, else on a new line."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()
    elif text:
        sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main())
