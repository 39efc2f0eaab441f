"""`python -m benchmarks`: measure, print, and write JSON and PNG."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from . import peers, report
from .cases import CASES, Case
from .conductor import play
from .plot import draw
from .variants import OWN

_HERE = Path(__file__).parent
_RESULTS = _HERE / "results"
_IMAGE = _HERE.parent / "docs" / "images" / "benchmarks.png"


def main() -> int:
    """Return 0 if everything was measured, whatever the results; 2 if no case was selected."""
    asked = _arguments()
    if asked.draw:
        _draw(json.loads(asked.draw.read_text(encoding="utf-8")))
        return 0
    cases = _cases(asked)
    if not cases:
        groups = ", ".join(dict.fromkeys(case.group for case in CASES))
        sys.stderr.write(f"--only {asked.only}: no such case; groups are {groups}\n")
        return 2
    variants, unavailable = _variants(asked.peers)
    rounds = asked.rounds or (2 if asked.quick else 5)
    result = report.summarise(cases, play(cases, variants, rounds, _tell), rounds, unavailable)
    _tell("")
    sys.stdout.write(report.table(result) + "\n")
    _RESULTS.mkdir(exist_ok=True)
    path = _RESULTS / f"{asked.name}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"\nwrote {path.relative_to(_HERE.parent)}\n")
    if not asked.quick and not asked.only:
        _draw(result)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the most telling cases only, two rounds: under 2 minutes")
    parser.add_argument("--peers", action="store_true", help="other libraries as well, each in its own environment")
    parser.add_argument("--rounds", type=int, help="how often each case runs (default 5; 2 with --quick)")
    parser.add_argument("--only", help="cases whose name or group contains this text")
    parser.add_argument("--name", default="latest", help="the result's file name (default: latest)")
    parser.add_argument("--draw", type=Path, metavar="JSON", help="measure nothing: draw the picture of this result")
    return parser.parse_args()


def _cases(asked: argparse.Namespace) -> tuple[Case, ...]:
    chosen = [case for case in CASES if case.quick] if asked.quick else CASES
    wanted = asked.only or ""
    return tuple(case for case in chosen if wanted in case.name or wanted in case.group)


def _variants(with_peers: bool) -> tuple[dict[str, Path], dict[str, str]]:
    """Interpreters by variant, and why other variants are missing."""
    found = {name: Path(sys.executable) for name in OWN}
    unavailable: dict[str, str] = {}
    for peer in peers.PEERS.values() if with_peers else ():
        _tell(f"environment of {peer.title}")
        try:
            found[peer.name] = peers.python_of(peer)
        except peers.UnavailableError as reason:
            unavailable[peer.title] = str(reason)
    return found, unavailable


def _draw(result: report.Report) -> None:
    _IMAGE.parent.mkdir(parents=True, exist_ok=True)
    try:
        draw(result, _IMAGE, {peer.name: peer.title for peer in peers.PEERS.values()})
    except ImportError:
        sys.stdout.write("no picture: matplotlib is not installed (extra `bench`)\n")
        return
    sys.stdout.write(f"wrote {_IMAGE.relative_to(_HERE.parent)}\n")


def _tell(text: str) -> None:
    """Progress, on one line of the terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
