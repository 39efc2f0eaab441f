"""Suggest a name of a setting in place of an unknown one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

_SWITCH = re.compile("(^|_)(enable|disable|off$)", re.IGNORECASE)
"""Matches the names that users try in order to turn L0 off."""


def nearest(name: str, known: Iterable[str], off: str | None = None, prefix: str = "") -> str:
    """Return a sentence and a space that suggest the closest of the ``known`` names; empty if none is close.

    ``off``: the setting that turns L0 off, if there is one, which is suggested for a name such as "enabled".
    ``prefix``: the common beginning of all names, which does not make two of them similar.
    """
    own = name.removeprefix(prefix)
    if off is not None and _SWITCH.search(own):
        return f"{off} turns L0 off. "
    close = get_close_matches(own, [each.removeprefix(prefix) for each in known], n=1)
    return f"did you mean {prefix}{close[0]}? " if close else ""
