"""Distinguish L0's own modules from all others."""

from __future__ import annotations


def is_own(module: str) -> bool:
    """Return True for a module of ``l0`` or of a provider package, whose names begin with ``l0_``."""
    return module.startswith("l0_") or module.partition(".")[0] == "l0"
