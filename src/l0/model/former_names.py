"""Let fields keep their former names for one release, with a `DeprecationWarning`."""

from __future__ import annotations

from warnings import warn


def former_name(former: str, new: str) -> property:
    """Return a property that reads the field ``new`` under its former name."""

    def read(self: object) -> object:
        warn(f"{type(self).__name__}.{former} is now {new}", DeprecationWarning, stacklevel=2)
        return getattr(self, new)

    return property(read, doc=f"The former name of `{new}`.")
