"""Text that every encoder takes."""

from __future__ import annotations


def well_formed(text: str) -> str:
    """Return the text with its surrogates joined to the characters they stand for, lone ones replaced by U+FFFD.

    A lone surrogate, half of a character that somebody cut, cannot be encoded: one of them in an attribute loses the
    whole batch of an OTLP exporter.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
