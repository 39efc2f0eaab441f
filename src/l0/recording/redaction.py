"""Remove secrets from what a recording keeps.

A mask has as many characters as the secret, so that sizes and positions stay right. Two things are secrets: a value
that a request sent in a secret place (its credentials headers, its cookies, the query of its URL), wherever it shows up
again, and a text of the form of a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import SplitResult, unquote, urlsplit

REMOVED = "[removed]"
Headers = Sequence[tuple[str, str]]
_SENT = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "anthropic-beta",
        "anthropic-version",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "idempotency-key",
        "openai-beta",
        "traceparent",
        "transfer-encoding",
        "user-agent",
    }
)
"""Request headers whose values are kept. Any other may hold a secret of the application."""
_SENT_PREFIXES = ("x-stainless-",)
_SECRET_NAME = re.compile(
    r"(?i)auth(?!ors?$)|cookie|credential|passw|secret|session|signature|token(?!s)|^x-amz-|^sig$|^key$|^code$"
    r"|(?:api|access|account|private|subscription)[-_]?key|^(?:openai|anthropic)-(?:organization|project)"
)
"""Names of headers and of parameters in a query that hold a secret."""
_SECRET_FIELD = re.compile(
    r"(?i)^authorization$|cookie|credential|passw|secret|(?:api|access|account|private|subscription)[-_]?key"
    r"|(?:access|auth|bearer|id|refresh)[-_]?token"
)
"""Names of fields in JSON that hold a secret."""
_KEYS = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|ghp|gho|hf|pplx|fw|r8)[-_](?=[\w-]{0,128}?[0-9])(?=[\w-]{0,128}?[A-Za-z0-9]{12})[A-Za-z0-9_-]+"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bAIza[A-Za-z0-9_-]{30,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r"|(?<=Bearer )[^\s\"',]{8,}"
)
"""Texts of the form of a key: with a digit, and a long part without dashes. ``xai-responses-v1`` is a name."""
_USERINFO = re.compile(r"(?<=//)[^/?#\s@'\"\\]+(?=@)")
_PARAMETER = re.compile(r"(?<=[?&])([\w.-]+)=([^&#\s'\"\\<>]+)")
_SHORTEST = 8
"""Characters. A shorter value in a secret place may be an ordinary word elsewhere."""
_MOST = 256
"""Values that are remembered."""


class Redaction:
    """The secrets of one process so far. ``more``: the user's function, for every text that is recorded."""

    def __init__(self, more: Callable[[str], str] | None = None) -> None:
        self._more = more
        self._values: dict[str, None] = {}
        self._pattern = _KEYS
        self._encoded = _bytes_of(_KEYS)

    def learn(self, headers: Iterable[tuple[str, str]], url: str) -> None:
        """Remember the secrets of a request."""
        found = {part for name, value in headers if _SECRET_NAME.search(name) for part in _parts(value)}
        split = _split(url)
        found.update(value for name, value in _PARAMETER.findall(f"?{split.query}") if _SECRET_NAME.search(name))
        found.update(part for part in split.netloc.rpartition("@")[0].split(":"))
        found |= {unquote(one) for one in found}
        new = [one for one in found if len(one) >= _SHORTEST and one not in self._values]
        if not new:
            return
        self._values = dict.fromkeys([*self._values, *new][-_MOST:])
        known = "|".join(re.escape(one) for one in sorted(self._values, key=len, reverse=True))
        self._pattern = re.compile(f"{known}|{_KEYS.pattern}")
        self._encoded = _bytes_of(self._pattern)

    def text(self, text: str) -> str:
        """Return a text without secrets, of the same length unless the user's function changes it."""
        text = self._pattern.sub(_mask, text)
        if "//" in text:
            text = _USERINFO.sub(_mask, text)
        if "=" in text:
            text = _PARAMETER.sub(_mask_parameter, text)
        return text if self._more is None else self._more(text)

    def reads(self, parts: Sequence[bytes]) -> list[bytes]:
        """Return consecutive reads of one body without secrets, also without one that begins in one read and ends in
        the next."""
        whole = b"".join(parts)
        if self._more is not None:
            return [self.text(part.decode(errors="surrogateescape")).encode(errors="surrogateescape") for part in parts]
        if self._encoded.search(whole) is None:
            return list(parts)
        masked = self._encoded.sub(lambda found: b"*" * len(found[0]), whole)
        clean, at = [], 0
        for part in parts:
            clean.append(masked[at : at + len(part)])
            at += len(part)
        return clean

    def sent_headers(self, headers: Headers) -> list[list[str]]:
        """Return the headers of a request; of most only the name."""
        return [[name, self.text(value) if _keeps(name) else REMOVED] for name, value in headers]

    def received_headers(self, headers: Headers) -> list[list[str]]:
        """Return the headers of an answer."""
        return [[name, REMOVED if _SECRET_NAME.search(name) else self.text(value)] for name, value in headers]

    def path(self, url: str) -> str:
        """Return the path and the query of an URL."""
        split = _split(url)
        return self.text(split.path + (f"?{split.query}" if split.query else ""))


def is_secret(field: str) -> bool:
    """Return True if a field of this name in JSON holds a secret."""
    return _SECRET_FIELD.search(field) is not None


def _keeps(name: str) -> bool:
    return name.lower() in _SENT or name.lower().startswith(_SENT_PREFIXES)


def _parts(value: str) -> list[str]:
    """Return what a header's value holds: the token after its scheme, the values of its cookies."""
    return [part.partition("=")[2] if "=" in part.rstrip("=") else part for part in re.split(r"[\s;,]+", value)]


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _mask(found: re.Match[str]) -> str:
    return "*" * len(found[0])


def _mask_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}={'*' * len(found[2])}" if _SECRET_NAME.search(found[1]) else found[0]


def _bytes_of(pattern: re.Pattern[str]) -> re.Pattern[bytes]:
    return re.compile(pattern.pattern.encode(errors="surrogateescape"))
