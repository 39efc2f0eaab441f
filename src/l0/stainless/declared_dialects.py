"""Find the dialects of a declared SDK by the module of one of its objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .discovery import instrumentors
from .openai_api_instrumentor import OpenAiApiInstrumentor, operations_at
from .sdk_instrumentor import PATCHING


def declared_dialects(module_name: str) -> frozenset[str]:
    """Return the dialects that the class of a provider declares for the SDK with this module; empty if none does.

    Provider packages are imported only if none of the classes already in use declares this SDK.
    """
    return _declared(module_name, [*PATCHING.values()]) or _declared(module_name, instrumentors())


def _declared(module_name: str, among: Iterable[Any]) -> frozenset[str]:
    module_path = f"{module_name}."
    for instrumentor in among:
        if isinstance(instrumentor, OpenAiApiInstrumentor) and module_path.startswith(f"{instrumentor.sdk_name}."):
            return frozenset(dialect for dialect, _ in operations_at(instrumentor.paths).values())
    return frozenset()
