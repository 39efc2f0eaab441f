"""Hooks of mkdocs for the site of the documentation."""

import re
from typing import Any

_LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=.?(https?://[^\s\"'>]+)")
_OUTSIDE = re.compile(r"\[([^]]+)\]\(\.\./[^)]*\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace links to files outside of `docs` by their text: the site does not have these files."""
    return _OUTSIDE.sub(r"\1", markdown)


def on_post_page(output: str, **_: Any) -> str:
    """Return the page as it is. Raises `ValueError` if it loads something from another host."""
    loaded = _LOADED.findall(output)
    if loaded:
        raise ValueError(f"the page loads {', '.join(loaded)}: pages must work without other hosts")
    return output
