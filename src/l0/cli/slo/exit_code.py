"""The exit code of `l0 slo status`."""

from __future__ import annotations

from collections.abc import Iterable

from l0.slo.burn import Pair


def exit_code(fail_on: str, *, is_spent: bool, burning: Iterable[Pair]) -> int:
    """Return 1 if the status is one that ``--fail-on`` names, else 0.

    ``is_spent``: a budget is spent. ``burning``: the pairs of windows of all objectives whose alert fires.
    """
    severities = {pair.severity for pair in burning}
    fails = {
        "any": is_spent or "page" in severities,
        "page": "page" in severities,
        "ticket": bool(severities),
        "spent": is_spent,
        "never": False,
    }
    return int(fails[fail_on])
