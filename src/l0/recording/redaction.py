"""Remove secrets from what a recording keeps.

A mask has as many characters as the secret, so that sizes and positions stay right. Two things count as secrets: a
value that a request sent in a secret place (credential headers, cookies, the query of its URL), wherever that value
appears again, and a text that has the form of a key.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, AnyStr
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
_KEY_PREFIXES = ("sk", "pk", "rk", "gsk", "xai", "ghp", "gho", "hf", "pplx", "fw", "r8")
_BEGINS = r"(?<!\w.)"
"""Requires that the character before this one begins a word. It stands after the first character of a key, so that each
alternative begins with a fixed character, for which `re` can search: several times as fast as a ``\\b`` at the
start."""
_AFTER_PREFIX = r"[-_](?=[\w-]{0,128}?[0-9])(?=[\w-]{0,128}?[A-Za-z0-9]{12})[A-Za-z0-9_-]+"
_BEARER = "Bearer "
_KEYS = "|".join(
    [
        *(f"{prefix[0]}{_BEGINS}{prefix[1:]}{_AFTER_PREFIX}" for prefix in _KEY_PREFIXES),
        *(rf"A{_BEGINS}{rest}[A-Z0-9]{{16}}\b" for rest in ("KIA", "SIA")),
        rf"A{_BEGINS}Iza[A-Za-z0-9_-]{{30,}}",
        rf"e{_BEGINS}yJ[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{8,}}",
        rf"{_BEARER}[^\s\"',]{{8,}}",
    ]
)
"""Texts of the form of a key: with a digit, and a long part without dashes. ``xai-responses-v1`` is a name."""
_LONGEST_KEY = 8_192
"""Characters. Most servers accept no longer header, so a longer run of base64 is data, such as an image. It may hold
characters that have the form of a key."""
_DATA = re.compile(rf"(?<![\w+/-])[A-Za-z0-9+/_-]{{{_LONGEST_KEY},}}+")
_USERINFO = re.compile(r"(?<=//)[^/?#\s@'\"\\]+(?=@)")
_PARAMETER = re.compile(r"(?<=[?&])([\w.-]+)=([^&#\s'\"\\<>]+)")
_SHORTEST = 8
"""Characters. A shorter value in a secret place may be an ordinary word elsewhere."""
_MOST = 256
"""Maximum number of values that are remembered."""
_LONGEST_WORD = 512
"""Bytes. Reads do not wait for the end of a longer word, such as an encoded image."""
_SPACED = bytes(32 if chr(byte) in "\t\n\r \"'<>,;" else byte for byte in range(256))
"""A table for `bytes.translate` that replaces characters which no secret contains by spaces."""


class Redaction:
    """The secrets of one process so far. ``more``: the user's function, applied to every text that is recorded."""

    def __init__(self, more: Callable[[str], str] | None = None) -> None:
        self._more = more
        self._values: dict[str, None] = {}
        self._compile()

    def learn(self, headers: Iterable[tuple[str, str]], url: str) -> None:
        """Remember the secrets that a request sent."""
        found = {part for name, value in headers if _SECRET_NAME.search(name) for part in _parts(value)}
        split = _split(url)
        found.update(value for name, value in _PARAMETER.findall(f"?{split.query}") if _SECRET_NAME.search(name))
        found.update(part for part in split.netloc.rpartition("@")[0].split(":"))
        found |= {unquote(value) for value in found}
        new = [value for value in found if len(value) >= _SHORTEST and value not in self._values]
        if not new:
            return
        self._values = dict.fromkeys([*self._values, *new][-_MOST:])
        self._compile()

    def _compile(self) -> None:
        known = "|".join(re.escape(value) for value in sorted(self._values, key=len, reverse=True))
        self._known = re.compile(known or "(?!)")
        self._pattern = re.compile(f"{known}|{_KEYS}" if known else _KEYS)
        self._known_encoded, self._encoded = _bytes_of(self._known), _bytes_of(self._pattern)

    def text(self, text: str) -> str:
        """Return a text without secrets, of the same length unless the user's function changes it."""
        spans = list(_secrets(text, self._pattern, self._known, _DATA))
        if spans:
            text = _masked(text, spans, "*")
        # Base64 contains "//" and "=" as well. The second tests are cheaper than a scan with a pattern.
        if "//" in text and "@" in text:
            text = _USERINFO.sub(_mask, text)
        if "=" in text and ("?" in text or "&" in text):
            text = _PARAMETER.sub(_mask_parameter, text)
        return text if self._more is None else self._more(text)

    def reads(self, parts: Sequence[bytes], before: bytes = b"") -> list[bytes]:
        """Return consecutive reads of one body without secrets, including secrets that begin in one read and end in a
        later one. ``before``: the end of the read before them. The user's function is not applied: see `lines`."""
        whole = before + b"".join(parts)
        spans = list(_secrets(whole, self._encoded, self._known_encoded, _DATA_ENCODED))
        return _split_like(parts, _masked(whole, spans, b"*")[len(before) :]) if spans else list(parts)

    @property
    def by_line(self) -> bool:
        """True if the reads of a body must be joined to lines: L0 does not know what the user's function looks for."""
        return self._more is not None

    def lines(self, parts: Sequence[bytes]) -> list[bytes]:
        """Return the reads of whole lines after the user's function. If it changes more in the joined reads than in
        each of them, the last read gets the whole text. Raises what the function raises."""
        if self._more is None or not parts:
            return list(parts)
        text = b"".join(parts).decode(errors="surrogateescape")
        whole = self._more(text)
        if whole == text:
            return list(parts)
        decoder = getincrementaldecoder("utf-8")("surrogateescape")  # a character may be split between two reads
        texts = [decoder.decode(part) for part in parts[:-1]] + [decoder.decode(parts[-1], final=True)]
        each = [self._more(one) for one in texts]
        if "".join(each) != whole:
            each = [*[""] * (len(parts) - 1), whole]
        return [one.encode(errors="surrogateescape") for one in each]

    def sent_headers(self, headers: Headers) -> list[list[str]]:
        """Return the headers of a request, most of them without their values."""
        return [[name, self.text(value) if _keeps(name) else REMOVED] for name, value in headers]

    def received_headers(self, headers: Headers) -> list[list[str]]:
        """Return the headers of an answer."""
        return [[name, REMOVED if _SECRET_NAME.search(name) else self.text(value)] for name, value in headers]

    def path(self, url: str) -> str:
        """Return the path and the query of a URL."""
        split = _split(url)
        return self.text(split.path + (f"?{split.query}" if split.query else ""))


def is_secret(field: str) -> bool:
    """Return True if a field of this name in JSON holds a secret."""
    return _SECRET_FIELD.search(field) is not None


def without_secret_fields(value: Any) -> Any:
    """Return a JSON value without the values of fields whose names are those of secrets, in JSON or in headers."""
    if isinstance(value, list):
        return [without_secret_fields(one) for one in value]
    if isinstance(value, dict):
        return {
            name: REMOVED if is_secret(name) or _SECRET_NAME.search(name) else without_secret_fields(one)
            for name, one in value.items()
        }
    return value


def _keeps(name: str) -> bool:
    return name.lower() in _SENT or name.lower().startswith(_SENT_PREFIXES)


def _parts(value: str) -> list[str]:
    """Return the parts of a header's value that may be secret: the token after a scheme, the values of cookies."""
    return [part.partition("=")[2] if "=" in part.rstrip("=") else part for part in re.split(r"[\s;,]+", value)]


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _secrets(
    text: AnyStr, pattern: re.Pattern[AnyStr], known: re.Pattern[AnyStr], data: re.Pattern[AnyStr]
) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each secret. Within long runs of ``data``, only known values count."""
    at = 0
    runs: list[tuple[int, int]] = []
    if len(text) >= _LONGEST_KEY:
        runs = [found.span() for found in data.finditer(text)]
    for begin, end in [*runs, (len(text), len(text))]:
        for found in pattern.finditer(text, at, begin):
            scheme = len(_BEARER) if found[0][: len(_BEARER)] in (_BEARER, _BEARER.encode()) else 0
            yield found.start() + scheme, found.end()
        yield from (found.span() for found in known.finditer(text, begin, end))
        at = end


def _masked(text: AnyStr, spans: Sequence[tuple[int, int]], star: AnyStr) -> AnyStr:
    parts: list[AnyStr] = []
    at = 0
    for begin, end in spans:
        parts += (text[at:begin], star * (end - begin))
        at = end
    parts.append(text[at:])
    return text[:0].join(parts)  # pyright: ignore[reportArgumentType]  # all parts are of the type of the text


def unfinished(data: bytes) -> int:
    """Return how many bytes at the end of ``data`` may be the beginning of a secret: an unbroken word."""
    word = data[-_LONGEST_WORD:].translate(_SPACED)
    return len(word) - word.rfind(b" ") - 1


def _split_like(parts: Sequence[bytes], whole: bytes) -> list[bytes]:
    ends = [*accumulate(map(len, parts))]
    return [whole[end - len(part) : end] for part, end in zip(parts, ends, strict=True)]


def _mask(found: re.Match[str]) -> str:
    return "*" * len(found[0])


def _mask_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}={'*' * len(found[2])}" if _SECRET_NAME.search(found[1]) else found[0]


def _bytes_of(pattern: re.Pattern[str]) -> re.Pattern[bytes]:
    return re.compile(pattern.pattern.encode(errors="surrogateescape"))


_DATA_ENCODED = _bytes_of(_DATA)
