"""Read calls, their filters' values and the size of the store from the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from .api_contract import CallsPage, Facets, ListedCall
from .call_filter import call_filter, call_order, cursor, cursor_text, limit
from .database_file import size

MAX_FACETS = 200
COLUMNS = (
    "trace_id, span_id, start, duration, service, provider, model, operation, outcome, error_type, cause, attempts, "
    "first_token, gap_p95, gap_max, input_tokens, output_tokens, finish_reasons, stop_reason"
)


def calls_page(connection: sqlite3.Connection, parameters: Mapping[str, Sequence[str]]) -> CallsPage:
    """Return one page of the calls that match, in the requested order. Raises `QueryError`."""
    matching, order = call_filter(parameters), call_order(parameters)
    if order.column == "first_token":
        matching = matching.also("first_token IS NOT NULL")
    wanted, after = limit(parameters), cursor(parameters)
    (total,) = connection.execute(f"SELECT count(*) FROM calls WHERE {matching.condition}", matching.values).fetchone()
    page = matching if after is None else matching.also(order.after_cursor, *after)
    rows = connection.execute(
        f"SELECT id, {COLUMNS} FROM calls WHERE {page.condition} ORDER BY {order.sql} LIMIT ?",
        (*page.values, wanted + 1),
    ).fetchall()
    calls = [listed_call(row[1:]) for row in rows[:wanted]]
    more = len(rows) > wanted
    # `SORTS` are fields of a call by the same names.
    last = cast("dict[str, float]", calls[-1]) if more else {}
    after_text = cursor_text(last[order.column], rows[wanted - 1][0]) if more else None
    return CallsPage(calls=calls, next=after_text, total=total)


def listed_call(row: Sequence[object]) -> ListedCall:
    """Return the call of a row of `COLUMNS`, which are its fields."""
    values = dict(zip(COLUMNS.split(", "), row, strict=True))
    values["finish_reasons"] = json.loads(str(values["finish_reasons"]))
    return cast(ListedCall, values)


def facets(connection: sqlite3.Connection) -> Facets:
    """Return the values by which the kept calls can be filtered."""
    combinations = connection.execute("SELECT DISTINCT provider, model, outcome, causes, service FROM calls").fetchall()
    providers, models, outcomes, causes, services = zip(*combinations, strict=True) if combinations else ((),) * 5
    return Facets(
        providers=_distinct(providers),
        models=_distinct(models),
        outcomes=_distinct(outcomes),
        causes=_distinct(cause for texts in set(causes) for cause in json.loads(texts)),
        services=_distinct(services),
    )


def _distinct(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value is not None})[:MAX_FACETS]


def kept(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Return the number of calls, the number of spans, and the bytes of the data."""
    (calls,) = connection.execute("SELECT count(*) FROM calls").fetchone()
    (spans,) = connection.execute("SELECT count(*) FROM spans").fetchone()
    return calls, spans, size(connection)
