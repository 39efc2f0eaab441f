"""Check that ``hold="verified"`` can keep back all text that the rules of a policy may reject later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .policy_error import PolicyError
from .rule import Rule, Severity

FINAL_RULES: Mapping[str, str] = {
    "none": "",
    "minimal": "json",
    "recommended": "json",
    "strict": "json, markdown, latex",
    "json_only": "strict_json",
    "markdown_only": "markdown",
    "latex_only": "latex",
}
"""By preset, its rules that fail an answer and decide only at its end.

The presets are made above this package, so a test compares them with this table.
"""


def check_verified_hold(window: int | None, guardrails: Sequence[Rule] | str, drift: Rule | bool) -> None:
    """Raise `PolicyError` if a rule could reject text that ``hold="verified"`` has released.

    ``window``: number of characters that are held back; ``None``: as many as the rules need.
    """
    listed = [] if isinstance(guardrails, str) else [*guardrails]
    if not isinstance(drift, bool):
        listed.append(drift)
    rules = [rule for rule in listed if rule.severity != Severity.WARNING]
    late = [rule.name for rule in rules if rule.span is None and not getattr(rule, "judges_result", False)]
    if isinstance(guardrails, str) and FINAL_RULES[guardrails]:
        late.insert(0, FINAL_RULES[guardrails])
    if late:
        allowed = (
            f'"message", because these rules decide only at the end of the answer: {", ".join(late)}. '
            '"verified" needs a list of rules without them, or with severity="warning" for each of them'
        )
        raise PolicyError("Policy.hold", "verified", allowed)
    needed = max((rule.span for rule in rules if rule.span is not None), default=0)
    if window is not None and window < needed:
        raise PolicyError(
            "Hold.window", window, f"at least {needed}, the window of the rules, or None for exactly that"
        )
