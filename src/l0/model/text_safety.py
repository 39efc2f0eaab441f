"""Make text safe for every encoder."""

from __future__ import annotations


def well_formed(text: str) -> str:
    """Return the text with surrogate pairs joined to characters, and lone surrogates replaced by U+FFFD.

    A lone surrogate is half of a character, so no encoder accepts it. A single one in an attribute makes an OTLP
    exporter lose a whole batch.
    """
    if text.isascii():  # the common case, without a copy
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def one_line(text: str, longest: int) -> str:
    """Return the text for use in a log line: at most ``longest`` characters, without line breaks and without control
    characters, which a terminal would execute."""
    text = well_formed(str(text))
    if not text.isprintable():
        text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
