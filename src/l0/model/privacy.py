"""What may be shown of values that may hold credentials: in messages, logs and reprs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from types import FunctionType

_LONGEST = 200
_USERINFO = re.compile(r"(?<=//)[^/?#\s@'\"]*@")
_QUERY = re.compile(r"\?[^\s'\"<>()#]*=[^\s'\"<>()#]*")


def without_credentials(text: str) -> str:
    """Return a text with the user information and the queries of its URLs left out."""
    return _QUERY.sub("?...", _USERINFO.sub("", text)) if "//" in text or "?" in text else text


def shown(value: object) -> str:
    """Return the repr of plain values, and of lists and mappings of them; of anything else its class.

    The repr of a stranger's object, such as a client, may show its key. Long texts are cut.
    """
    if isinstance(value, str) and not isinstance(value, Enum):
        text = without_credentials(value)
        return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
    if value is None or isinstance(value, bool | int | float | Enum | type | FunctionType):
        return repr(value)
    if isinstance(value, list | tuple | set | frozenset):
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")") if isinstance(value, tuple) else "{}"
        return f"{opening}{', '.join(map(shown, value))}{closing}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{shown(key)}: {shown(one)}' for key, one in value.items())}}}"
    if type(value).__module__.partition(".")[0] == "l0":
        return repr(value)  # ours hide what they must
    return f"<{type(value).__name__}>"
