"""The results of a backtest as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .call_result import CallResult, Verdict
from .intervals import Estimate
from .policy_backtest import PolicyResult

_MAX_REASONS = 3
"""Reasons of unknown calls that are shown per policy."""
_EXTRA_REQUESTS = "extra requests per call"
_BUDGET_HEADINGS = ("budget spent", "refused by budget")


def report(results: Sequence[PolicyResult]) -> str:
    """Return the tables of all policies."""
    number = len(results[0].calls) if results else 0
    lines = [_heading(number), "", *_verdicts(results), "", *_figures(results)]
    for result in results[1:]:
        for reason, count in list(result.unknown_reasons.items())[:_MAX_REASONS]:
            lines.append(f"{result.name}: {count:,} unknown: {reason}")
    return "\n".join(lines)


def _verdicts(results: Sequence[PolicyResult]) -> Iterator[str]:
    budgets = any(result.has_budget for result in results)
    rows = [("policy", *Verdict, _EXTRA_REQUESTS, "extra tokens per call", *(_BUDGET_HEADINGS if budgets else ()))]
    for result in results:
        shares = [_percent(result.share(verdict)) for verdict in Verdict]
        recorded = result is results[0]
        tokens = "" if recorded else _number(result.extra_tokens, ".1f")
        budget = (_percent(result.budget_spent), _percent(result.budget_refusals)) if budgets else ()
        rows.append((result.name, *shares, _number(result.extra_requests, ".3f"), tokens, *budget))
    return _table(rows)


def _figures(results: Sequence[PolicyResult]) -> Iterator[str]:
    quantiles = ("p50", "p95", "p99")
    head = (*(f"first token {name}" for name in quantiles), *(f"total {name}" for name in quantiles))
    rows = [("policy (s)", *head)]
    rows += [
        (result.name, *(_number(one, ".3g") for one in (*result.first_token_s, *result.total_s))) for result in results
    ]
    return _table(rows)


def changes(base: PolicyResult, result: PolicyResult) -> str:
    """Return a line for each call whose verdict or number of requests differs from ``base``."""
    changed = result.changed(base)
    lines = [f"{result.name}: {len(changed):,} of {len(result.calls):,} calls change"]
    lines += [f"  {after.id}: {_call(before)} -> {_call(after)}" for before, after in changed]
    return "\n".join(lines)


def _call(call: CallResult) -> str:
    total = f" in {call.total_s:.2f} s" if call.total_s is not None else ""
    reason = f" ({call.reason})" if call.reason else ""
    return f"{call.verdict}{reason}, {call.requests} requests{total}"


def search_table(compared: Sequence[PolicyResult], found: Sequence[PolicyResult]) -> str:
    """Return the table of a search: ``compared``, which are what users got and their policies, and then ``found``."""
    head = (Verdict.WHOLE.value, Verdict.UNKNOWN.value, "first token p95 (s)", _EXTRA_REQUESTS)
    rows = [("policy", *head), *map(_search_row, compared)]
    heading = "not beaten by any other:" if found else "none is compared: with each, more than 5 % of calls are unknown"
    rows += [(heading, "", "", "", ""), *map(_search_row, found)]
    number = len(compared[0].calls) if compared else 0
    return "\n".join([_heading(number), "", *_table(rows)])


def _search_row(result: PolicyResult) -> tuple[str, ...]:
    return (
        result.name,
        _percent(result.share(Verdict.WHOLE)),
        _percent(result.share(Verdict.UNKNOWN)),
        _number(result.first_token_s[1], ".3g"),
        _number(result.extra_requests, ".3f"),
    )


def _heading(number: int) -> str:
    return f"{number:,} recorded calls; results in % of all of them; 95 % intervals in brackets"


def _percent(share: Estimate | None) -> str:
    return "-" if share is None else f"{100 * share.value:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}]"


def _number(estimate: Estimate | None, form: str) -> str:
    if estimate is None:
        return "-"
    low = max(estimate.low, 0.0)  # the normal interval of a small mean may begin below 0, but no figure here can
    return f"{estimate.value:{form}} [{low:{form}}, {estimate.high:{form}}]"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
