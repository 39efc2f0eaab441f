"""Hooks of mkdocs for the site of the documentation."""

import re
from typing import Any

_EXTERNAL_RESOURCE = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=.?(https?://[^\s\"'>]+)")
_LINK_OUT_OF_DOCS = re.compile(r"\[([^]]+)\]\(\.\./[^)]*\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace links to files outside of `docs` by the text of the link: the site does not have these files."""
    return _LINK_OUT_OF_DOCS.sub(r"\1", markdown)


def on_post_page(output: str, **_: Any) -> str:
    """Return the page as it is. Raises `ValueError` if it loads something from another host."""
    loaded = _EXTERNAL_RESOURCE.findall(output)
    if loaded:
        raise ValueError(f"the page loads {', '.join(loaded)}: pages must work without other hosts")
    return output
