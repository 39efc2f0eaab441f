"""The classes of an exception, and its chain of causes."""

from __future__ import annotations

from collections.abc import Iterator

Classes = tuple[type[BaseException] | str, ...]
"""Exception classes, or names of classes that are not imported. A name stands for its subclasses as well."""


def is_a(error: BaseException, classes: Classes) -> bool:
    """Return True if an exception is of one of the classes."""
    for base in type(error).__mro__:
        if base.__name__ in classes:
            return True
    for candidate in classes:  # noqa: SIM110 - a generator costs a frame per class, and this runs often per failure
        if not isinstance(candidate, str) and isinstance(error, candidate):
            return True
    return False


def links(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and each one in its chain of causes, once."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__
