"""Find the dialects of a declared SDK by the module of one of its objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .discovery import instrumentors
from .openai_api_instrumentor import OpenAiApiInstrumentor, operations_at
from .sdk_instrumentor import PATCHING


def declared_dialects(module: str) -> frozenset[str]:
    """Return the dialects that the class of a provider declares for the SDK with this module; empty if none does.

    Installed classes are imported only if no class that patches an SDK declares this one.
    """
    return _declared(module, [*PATCHING.values()]) or _declared(module, instrumentors())


def _declared(module: str, among: Iterable[Any]) -> frozenset[str]:
    for instrumentor in among:
        if isinstance(instrumentor, OpenAiApiInstrumentor) and f"{module}.".startswith(f"{instrumentor.sdk_name}."):
            return frozenset(dialect for dialect, _ in operations_at(instrumentor.paths).values())
    return frozenset()
