"""The details of the demo: results by API, and by the cause of the failure, in the words of l0's errors."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from l0.model.failure import Cause

from .demo_state import Demo, DemoRun
from .judge import AnswerVerdict, percentile
from .plan import APIS

UNHARMED = "no failure with l0"
_SHARES = (0.5, 0.95)
_CAUSE_COLUMNS = ("bare silent", "bare errors", "l0 recovered", "l0 errors", "agent recovered", "agent errors")


def details(demo: Demo, style: box.Box) -> Iterator[RenderableType]:
    """Yield the tables, and the text that explains them."""
    yield _by_api(demo, style)
    yield _by_cause(demo, style)
    times = "; ".join(f"{run.label} {_first_text(run)}" for run in demo.runs)
    yield Text(f"First text, median and 95th percentile: {times}.")
    yield Text(
        f"{demo.source}; {demo.options.concurrency} concurrent calls, half in threads, half in asyncio, all in this "
        "process. A call counts under the cause of the failure that ended it; each call meets the same faults in every "
        "run. Faults that were planned after the end of an answer had no effect. Not counted: healthy calls before "
        "each run, from which l0 learns that this origin ends its streams with a terminal event; for the providers' "
        "own hosts it knows this.",
        style="dim",
    )


def count_causes(demo: Demo) -> dict[str, Counter[str]]:
    """Count by cause: calls that ended silently or with an error in each run, and requests that l0 recovered."""
    failures_by_run = [run.failures.snapshot() for run in demo.runs]
    # Bare SDKs report no causes. l0 classified the same faults of the same requests.
    for_bare = {**failures_by_run[1], **failures_by_run[2]}
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for run, failures_by_call in zip(demo.runs, (for_bare, *failures_by_run[1:]), strict=True):
        for number, verdict in run.verdicts.items():
            failures = failures_by_call.get(number, ())
            broken = verdict is not AnswerVerdict.WHOLE
            if broken:
                kind = "silent" if verdict is AnswerVerdict.SILENT else "errors"
                counts[_cause_of_end(run, number, failures)][f"{run.name} {kind}"] += 1
            if run.instrumented:
                for cause in failures[:-1] if broken else failures:
                    counts[cause][f"{run.name} recovered"] += 1
    return counts


def _cause_of_end(run: DemoRun, number: int, failures: tuple[Cause, ...]) -> str:
    """Return the cause for which the call's last request failed, or `UNHARMED`.

    Some faults are no failure with l0, such as an event that was sent twice.
    """
    last = run.requests.get(number, len(failures))
    return failures[last - 1] if 0 < last <= len(failures) else UNHARMED


def _by_api(demo: Demo, style: box.Box) -> Table:
    columns = [
        "calls",
        "bare:\nsilent",
        "bare:\nerrors",
        "l0:\nsilent",
        "l0:\nerrors",
        "agent:\nsilent",
        "agent:\nerrors",
    ]
    table = _table("Calls by API", style, columns)
    for api in APIS:
        verdicts = [run.verdict_counts[api].verdicts for run in demo.runs]
        counts = [counted[kind] for counted in verdicts for kind in (AnswerVerdict.SILENT, AnswerVerdict.ERROR)]
        table.add_row(api, str(demo.bare.verdict_counts[api].calls), *map(str, counts))
    return table


def _by_cause(demo: Demo, style: box.Box) -> Table:
    columns = [column.replace(" ", ":\n") for column in _CAUSE_COLUMNS]
    table = _table("Failures by cause (docs/errors.md)", style, columns)
    counts = count_causes(demo)
    for cause in sorted(counts, key=lambda cause: (-counts[cause].total(), cause)):
        table.add_row(cause, *(str(counts[cause][column]) for column in _CAUSE_COLUMNS))
    return table


def _table(title: str, style: box.Box, columns: Sequence[str]) -> Table:
    table = Table(box=style, title=title, title_justify="left", title_style="bold")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _first_text(run: DemoRun) -> str:
    found = [percentile(run.total.firsts, share) for share in _SHARES]
    return " and ".join("-" if value is None else f"{value * 1000:.0f} ms" for value in found)
