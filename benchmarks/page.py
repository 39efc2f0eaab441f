"""The page of a report, in Markdown: targets, other libraries, and every case with its range."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from .cases import GROUPS
from .report import (
    PER_EVENT,
    UNITS,
    CaseReport,
    Report,
    Spread,
    beside_peers,
    number,
    peers_of,
    ratio,
    rounds_of,
    spread,
)
from .targets import targets
from .variants import BARE, FULL, OWN, TITLES

_ABSENT = "-"
_METHOD = """\
The simulated provider runs in its own process, and so does every variant. The bare SDK and L0 share an environment;
each other library has its own, with the same versions of the SDKs. Within each round the variants take turns, and every
other round reverses their order, so that a busy machine affects all of them alike. A figure is the CPU time of the
variant's process relative to that of the bare SDK in the same round: the median of the rounds, with the lowest and the
highest in brackets. L0 and the others report to an OpenTelemetry SDK whose exporters discard everything.

A name such as `25 x 200` stands for 25 streams of 200 tokens, one after the other. *Whole*: calls that do not stream.
*Helper*: the SDK's `.stream()`. *Paced*: the provider sends 100 tokens per second; elsewhere it is as fast as it can.
*Cold*: the first call of a new process. *L0 for Python* is the earlier library that this one replaces
([migration](migration.md))."""

Rows = Iterable[Sequence[str]]
Cell = Callable[..., str]
"""A function that returns a figure as a text. ``more``: further decimals, so that a near miss shows as a miss."""


def page(report: Report, name: str, picture: str) -> str:
    """Return the page of the result with this name. ``picture``: the path of its plot."""
    machine = report["machine"]
    run = f"{report['rounds']} rounds, {report['taken'].partition('T')[0]}"
    shown = f"![CPU time relative to the bare SDK: L0 and other libraries]({picture})"
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"`python -m benchmarks --peers --name {name}` measured these figures and wrote this page.",
            "",
            _METHOD,
            "",
            f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, {machine['python']}; {run}.",
            "",
            *([shown, ""] if beside_peers(report) else []),
            *_beside_peers(report, _with_range),
            *_details(report),
            *_idle(report),
            *_first_events(report),
            *_targets(report, _with_range),
            *_versions(report),
        ]
    )


def summary(report: Report) -> str:
    """Return the tables that a reader needs first, for a terminal: with medians only, so that lines are short."""
    return "\n".join([*_beside_peers(report, _median), *_targets(report, _median)])


def _median(found: Spread | None, more: int = 0) -> str:
    return _ABSENT if found is None else number(found.median, more)


def _with_range(found: Spread | None, more: int = 0) -> str:
    return _ABSENT if found is None else found.text(more)


def _table(head: Sequence[str], rows: Rows) -> Iterator[str]:
    """Yield a table in Markdown, aligned so that it can be read in a terminal as well, and an empty line."""
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    for first, *others in (head, rule, *cells[1:]):
        aligned = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        yield f"| {' | '.join([first.ljust(widths[0]), *aligned])} |"
    yield ""


def _beside_peers(report: Report, cell: Cell) -> Iterator[str]:
    cases = beside_peers(report)
    if cases:
        names = (FULL, *peers_of(cases))
        yield from ("## Beside other libraries", "")
        yield from _table(
            ("CPU relative to bare", *(TITLES[name] for name in names)),
            ((case["name"], *(cell(ratio(case, name)) for name in names)) for case in cases),
        )


def _targets(report: Report, cell: Cell) -> Iterator[str]:
    yield from ("## Targets", "")
    yield from _table(
        ("L0", "unit", "at most", "measured", ""),
        (
            (target.what, target.unit, f"{target.most:g}", cell(target.found, 1), target.verdict)
            for target in targets(report)
        ),
    )


def _details(report: Report) -> Iterator[str]:
    yield from ("## Every case", "")
    yield "The first column of figures is absolute, with its unit; the others are relative to it. L0 has the default"
    yield "policy and reports to OpenTelemetry's SDK; each further column changes one thing."
    yield ""
    changes = [name for name in OWN if name != BARE and name in report["versions"]]
    for group, title in GROUPS.items():
        cases = [case for case in report["cases"] if case["group"] == group]
        if cases:
            yield from (f"### {title}", "")
            yield from _table(
                ("", f"bare SDK, {UNITS.get(group, PER_EVENT)}", *(OWN[name] for name in changes)),
                ([case["label"], *_figures(case, changes)] for case in cases),
            )


def _figures(case: CaseReport, names: Iterable[str]) -> list[str]:
    bare = spread(rounds_of(case, BARE))
    return [_with_range(bare), *(_with_range(ratio(case, name)) for name in names)]


def _idle(report: Report) -> Iterator[str]:
    for case in report["cases"]:
        if rounds_of(case, BARE, "idle_us"):
            yield from (f"{case['label']}, CPU time of each in µs per second (all columns are absolute):", "")
            found = (_with_range(spread(rounds_of(case, name, "idle_us"))) for name in OWN)
            yield from _table(("", *OWN.values()), [("while it waits", *found)])


def _first_events(report: Report) -> Iterator[str]:
    yield from ("## First event and memory", "")
    yield "Time from a call to its first event (for idle streams, to the first event of the last one), and growth of"
    yield "the process's peak memory during the case. L0 holds what precedes the content, so its first event comes"
    yield "with the first content, which a paced provider sends 10 ms after the headers. In a new process (100,000"
    yield "tokens, cold), L0 first imports the code that serves calls, and compares its two readers ([direct"
    yield "reading](speed.md))."
    yield ""
    columns = [(name, field) for field in ("first_ms", "memory_mb") for name in (BARE, FULL)]
    yield from _table(
        ("", "first event, bare SDK, ms", "L0, ms", "memory, bare SDK, MB", "L0, MB"),
        (
            (case["name"], *(_with_range(spread(rounds_of(case, name, field))) for name, field in columns))
            for case in report["cases"]
        ),
    )


def _versions(report: Report) -> Iterator[str]:
    yield from ("## Versions", "")
    for name, versions in report["versions"].items():
        if name == BARE or name not in OWN:
            title = f"{TITLES[BARE]} and L0" if name == BARE else TITLES[name]
            yield f"- {title}: {', '.join(f'{package} {version}' for package, version in versions.items())}"
    missing = [f"- {title}: {reason}" for title, reason in report["unavailable"].items()]
    missing += [f"- {title}: {reason}: {', '.join(cases)}" for (title, reason), cases in _reasons(report).items()]
    if missing:
        yield from ("", "Not measured:", "", *missing)
    yield ""


def _reasons(report: Report) -> dict[tuple[str, str], list[str]]:
    """Return the cases in which a variant has no figures, by the variant's title and the reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for case in report["cases"]:
        for name, figures in case["variants"].items():
            if "missing" in figures:
                found.setdefault((TITLES[name], figures["missing"]), []).append(case["name"])
    return found
