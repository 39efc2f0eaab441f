"""Warn of rules that cannot check an answer, because the user reads its body, or nobody does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l0.model.caller_warning import warn_caller

if TYPE_CHECKING:
    from l0.runtime.call_runtime import CallRuntime

_UNCHECKED = (
    "l0 does not apply {fields} to this answer, because {reason}. Read it with create(), with_raw_response, or parse() "
    "of a stream"
)
READ_BY_USER = "your code reads its body (with_streaming_response)"
DISCARDED = "your code discards its body (cast_to=NoneType)"


def warn_unchecked(runtime: CallRuntime, reason: str = READ_BY_USER) -> None:
    """Warn at the line that reads the body of an answer, if the policy has rules or a hold for it."""
    policy = runtime.call.policy
    rules = ("guardrails", "drift", "structured") if runtime.rule_runner is not None else ()
    names = [f"Policy.{name}" for name in rules if getattr(policy, name)]
    if policy.holding.until != "first_content" and runtime.call.dialect != "embeddings":
        names.append("Policy.hold")
    if names:
        sdk: Any = getattr(runtime.call_adapter, "sdk", None)
        own = () if sdk is None else (sdk.root,)
        warn_caller(
            _UNCHECKED.format(fields=" and ".join(names), reason=reason), skipped_packages=(*own, "httpx", "httpx2")
        )
