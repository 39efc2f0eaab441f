"""Find the clients of the SDKs that a program has made at import, as global variables of its own modules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

_PACKAGES = frozenset({"site-packages", "dist-packages"})


def clients_elsewhere(root: Path, origin: str) -> dict[str, str]:
    """Return the base URLs of the clients in modules below ``root`` that call another address than ``origin``, by the
    name of one variable each."""
    found: dict[int, tuple[str, str]] = {}
    for name, module in list(sys.modules.items()):
        path = Path(getattr(module, "__file__", None) or "/")
        if not path.is_relative_to(root) or not _PACKAGES.isdisjoint(path.parts):
            continue
        for variable, value in list(vars(module).items()):
            if _is_client(value) and not str(value.base_url).startswith(origin):
                found.setdefault(id(value), (f"{name}.{variable}", str(value.base_url)))
    return dict(found.values())


def _is_client(value: Any) -> bool:
    # Of the type, not of the value: a proxy would be asked for its object, and might make it.
    return any(
        each.__name__ == "BaseClient" and each.__module__.endswith("._base_client") for each in type(value).__mro__
    )
