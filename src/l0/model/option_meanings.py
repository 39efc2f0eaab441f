"""Find what a user means by an option that does not exist: a word of another library, a part, a misspelt name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Final

from . import policy
from .nearest_name import nearest

_PARTS: Final[Mapping[str, str]] = {
    "policy": "Policy",
    "retry": "Retry",
    "timeout": "Timeout",
    "fallback": "Fallback",
    "hedge": "Hedge",
}
"""Options whose values have options themselves, with the class of the value."""
_HAVE_PARTS: Final = frozenset({"Policy", "instrument", "run", "wrap"})
"""The owners of such options. Elsewhere an option of one of these names has another meaning."""
_TURN_OFF: Final[Mapping[str, str]] = {
    "Policy": 'mode="off"',
    "wrap": 'mode="off"',
    "instrument": 'policy=l0.Policy(mode="off")',
}
"""The options that turn L0 off, by their owners. The others have none."""


def _each(words: str, meaning: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), meaning)


_OTHER_CLIENT = "client=OpenAI(base_url=...)"
_FOREIGN: Final[Mapping[str, Mapping[str, str]]] = {
    "Policy": {
        **_each("retries num_retries", "retry=l0.Retry(max_retries=...)"),
        **_each("fallbacks fallback_models models", "fallback=[l0.Fallback(model=...), ...]"),
        **_each("circuit_breaker", "breaker"),
        **_each("retry_budget", "budget"),
        **_each("shadow dry_run", 'mode="shadow"'),
        **_each("schema response_format", "structured=True, with the schema in the request"),
        **_each("rules", "guardrails"),
    },
    "Retry": {
        **_each("backoff wait_strategy", "strategy"),
        **_each("jitter wait_jitter", 'strategy="full_jitter"'),
        **_each("retries num_retries total", "max_retries"),
        **_each("max_attempts max_tries tries", "max_retries=<one less>"),
        **_each("backoff_factor delay initial_delay multiplier wait wait_initial min_wait", "base_delay"),
        **_each("backoff_max max_backoff max_wait wait_max", "max_delay"),
        **_each("exceptions retry_on_exception status_codes status_forcelist", "retry_on"),
        **_each("predicate retry_if giveup", "should_retry"),
        **_each("timeout deadline max_time", "timeout=l0.Timeout(total=<milliseconds>) of the policy"),
    },
    "Timeout": {
        **_each("timeout seconds request deadline max_time", "total=<milliseconds>"),
        **_each("first_token ttft first_byte first_content initial", "initial_token=<milliseconds>"),
        **_each("read idle between_tokens", "inter_token=<milliseconds>"),
        **_each("connect write pool", "timeout=httpx.Timeout(...) of the client"),
    },
    "Fallback": {
        **_each("api_base api_key base_url endpoint organization provider", _OTHER_CLIENT),
        **_each("models", "one l0.Fallback(model=...) for each model"),
        **_each("deployment model_name", "model"),
    },
    "Hedge": _each("delay delay_ms after_ms timeout", "after=<milliseconds>"),
    "Objective": {
        **_each("metric sli", "indicator"),
        **_each("goal slo objective", "target"),
        **_each("latency", "threshold=<seconds>"),
    },
    "instrument": {
        **_each("endpoint exporter_endpoint otlp_endpoint", "otlp"),
        **_each("capture_content trace_content", "the variable OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"),
        **_each("redis redis_url", "fleet"),
    },
    "run": {
        **_each("fallback", "fallbacks"),
        **_each("hedge adaptive", "a policy for l0.instrument() or l0.wrap(client)"),
        **_each("structured schema", "l0.structured(schema, ...)"),
    },
}
"""Words of other libraries for options, such as those of tenacity, stamina, httpx, urllib3 and litellm, by the class or
function here that has the option. ``"run"`` stands for all functions of the explicit API."""


def meant(owner: str, name: str, known: Sequence[str]) -> str:
    """Return a sentence and a space about what is meant by ``name``, an unknown option of ``owner``; empty if nothing
    is known. ``known``: the options of ``owner``."""
    meaning = _meaning(owner, name, known)
    return f"did you mean {meaning}? " if meaning else nearest(name, known, _TURN_OFF.get(owner))


def _meaning(owner: str, name: str, known: Sequence[str]) -> str:
    """Return what to write for a word of another library, or for an option of a part; empty if there is no such
    option."""
    foreign = _FOREIGN.get(owner, {}).get(name)
    if foreign is not None:
        return foreign
    parts = {part: kind for part, kind in _PARTS.items() if part in known} if owner in _HAVE_PARTS else {}
    for part, kind in parts.items():
        if name in _options(kind):
            return f"{part}=l0.{kind}({name}=...)"
    for part, kind in parts.items():
        inner = _meaning(kind, name, _options(kind))
        if inner and " " not in inner:  # else it is a sentence
            return f"{part}=l0.{kind}({inner if '=' in inner else f'{inner}=...'})"
    return ""


def _options(kind: str) -> list[str]:
    return [field.name for field in fields(getattr(policy, kind))]
