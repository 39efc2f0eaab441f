"""The tables of docs/telemetry.md, written from the one table of names.

    python tests/unit/telemetry/telemetry_docs.py

puts them between the marks in that file; a test sees that they are fresh.
"""

import ast
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from l0.telemetry import names
from l0.telemetry.names import Metric

PAGE = Path(__file__).resolve().parents[3] / "docs" / "telemetry.md"
BEGIN, END = "<!-- begin: generated from src/l0/telemetry/names.py -->\n", "<!-- end: generated -->\n"


def described() -> Iterator[tuple[str, str]]:
    """Attributes of our own, with what is said below each in the table."""
    body = ast.parse(Path(names.__file__).read_text("utf-8")).body
    for one, below in pairwise(body):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and isinstance(below, ast.Expr):
            value, said = getattr(names, one.target.id), ast.literal_eval(below.value)
            if isinstance(value, str) and value.startswith("l0."):
                yield value, " ".join(said.split())


def buckets(metric: Metric) -> str:
    """A histogram's bounds, in short."""
    known = {names.SECONDS: "D", names.TOKENS: "T", names.RULE_SECONDS: "R"}
    return known[metric.buckets] if metric.buckets else ""


def row(*cells: str) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |\n"


def metrics(title: str, those: Sequence[Metric]) -> str:
    """A table of metrics."""
    lines = [f"### {title}\n\n", row("name", "kind", "unit", "attributes", "what"), "|---|---|---|---|---|\n"]
    for one in those:
        kind = f"{one.kind} {buckets(one)}".rstrip()
        lines.append(row(f"`{one.name}`", kind, one.unit, ", ".join(f"`{a}`" for a in one.attributes), one.description))
    return "".join([*lines, "\n"])


def tables() -> str:
    """All of them, as markdown."""
    lines = ["### Attributes of our own\n\n", row("name", "what"), "|---|---|\n"]
    lines += [row(f"`{name}`", said) for name, said in described()]
    return "".join(
        [
            *lines,
            "\n",
            metrics("Metrics under the names that dashboards know today", names.CURRENT.metrics),
            metrics("Metrics under the conventions' newest names", names.LATEST.metrics),
            metrics("Metrics of our own", (*names.L0_METRICS, names.BREAKER_STATE)),
            metrics("Metrics of objectives", (names.SLO_EVENTS, names.SLO_BUDGET, names.SLO_BURN_RATE)),
        ]
    )


def written(page: str) -> str:
    """The page with fresh tables."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
