"""Show values that may hold credentials in messages, logs and reprs, without the credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from types import FunctionType

_MAX_LENGTH = 200
"""Maximum number of characters of a string that a message shows."""
_USERINFO = re.compile(r"(?<=//)[^/?#\s@'\"]*@")
_QUERY = re.compile(r"\?[^\s'\"<>()#]*=[^\s'\"<>()#]*")


def without_credentials(text: str) -> str:
    """Return the text without the user names, passwords and queries of its URLs."""
    return _QUERY.sub("?...", _USERINFO.sub("", text)) if "//" in text or "?" in text else text


def shown_briefly(value: object) -> str:
    """As `shown`, cut after about `_MAX_LENGTH` characters, so that a long list does not hide the rest of a message."""
    text = shown(value)
    longest = _MAX_LENGTH + len("'...'")
    return text if len(text) <= longest else f"{text[:_MAX_LENGTH]}..."


def shown(value: object) -> str:
    """Return the repr of a plain value, list or mapping, and only the class name of any other object.

    The repr of a third-party object, such as a client, may show its key. Long strings are truncated.
    """
    if isinstance(value, str) and not isinstance(value, Enum):
        text = without_credentials(value)
        return repr(text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}...")
    if value is None or isinstance(value, bool | int | float | Enum | type | FunctionType):
        return repr(value)
    if isinstance(value, list | tuple | set | frozenset):
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")") if isinstance(value, tuple) else "{}"
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"{opening}{', '.join(map(shown, value))}{comma}{closing}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{shown(key)}: {shown(item)}' for key, item in value.items())}}}"
    if type(value).__module__.partition(".")[0] == "l0":
        return repr(value)  # reprs of l0's own classes hide secrets
    return f"<{type(value).__name__}>"
