"""Decide if a version of an SDK is supported."""

from __future__ import annotations

import re

_RELEASE = r"[0-9]+(?:\.[0-9]+)*"
_BOUND = re.compile(rf"\s*(>=|<)\s*({_RELEASE})\s*")


def supports(supported: str, version: str) -> bool:
    """Return True if a range such as ``>= 1.60, < 4`` contains a version, as packaging does, pre-releases included.

    packaging takes 15 ms to import, so it decides only if a version or a bound is more than numbers.
    """
    bounds = [_BOUND.fullmatch(bound) for bound in supported.split(",")]
    if re.fullmatch(_RELEASE, version) is None or None in bounds:
        from packaging.specifiers import SpecifierSet

        return SpecifierSet(supported, prereleases=True).contains(version)
    found = _release(version)
    limits = [(bound[1], _release(bound[2])) for bound in bounds if bound is not None]
    return all(found >= limit if sign == ">=" else found < limit for sign, limit in limits)


def is_version_range(value: object) -> bool:
    """Return True if `supports` can read this range."""
    if not isinstance(value, str):
        return False
    if all(_BOUND.fullmatch(bound) for bound in value.split(",")):
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(value)
    except InvalidSpecifier:
        return False
    return True


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version without the zeros at its end, which do not count."""
    numbers = [int(number) for number in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
