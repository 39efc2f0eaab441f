"""Make text safe for every encoder."""

from __future__ import annotations


def well_formed(text: str) -> str:
    """Return the text with surrogate pairs joined to characters, and lone surrogates replaced by U+FFFD.

    A lone surrogate, half of a character that was cut, cannot be encoded. One of them in an attribute makes an OTLP
    exporter lose its complete batch.
    """
    if text.isascii():  # the common case, without a copy
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
