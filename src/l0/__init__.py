"""L0: one line makes streaming LLM calls reliable and visible.

``import l0; l0.instrument()`` patches the openai and anthropic SDKs in place. Names resolve lazily, so that importing
`l0` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .patching.discovery import instrument, uninstrument
    from .patching.switchboard import policy
    from .values.errors import StreamInterrupted
    from .values.policy import (
        ERROR_TYPE_DELAY_DEFAULTS,
        RETRY_DEFAULTS,
        ErrorTypeDelays,
        Fallback,
        Hold,
        Policy,
        PolicyError,
        Retry,
        Seam,
        Timeout,
    )

__all__ = [
    "ERROR_TYPE_DELAY_DEFAULTS",
    "RETRY_DEFAULTS",
    "ErrorTypeDelays",
    "Fallback",
    "Hold",
    "Policy",
    "PolicyError",
    "Retry",
    "Seam",
    "StreamInterrupted",
    "Timeout",
    "instrument",
    "policy",
    "uninstrument",
]

_HOMES = {
    "instrument": ".patching.discovery",
    "uninstrument": ".patching.discovery",
    "policy": ".patching.switchboard",
    "StreamInterrupted": ".values.errors",
    "ERROR_TYPE_DELAY_DEFAULTS": ".values.policy",
    "RETRY_DEFAULTS": ".values.policy",
    "ErrorTypeDelays": ".values.policy",
    "Fallback": ".values.policy",
    "Hold": ".values.policy",
    "Policy": ".values.policy",
    "PolicyError": ".values.policy",
    "Retry": ".values.policy",
    "Seam": ".values.policy",
    "Timeout": ".values.policy",
}


if not TYPE_CHECKING:  # type checkers would take every name for one that this function knows

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'l0' has no attribute {name!r}")
        value = getattr(import_module(home, __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
