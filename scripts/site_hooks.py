"""Hooks of mkdocs for the site of the documentation."""

import re
from typing import Any

_OUTSIDE = re.compile(r"\[([^]]+)\]\(\.\./[^)]*\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace links to files outside of `docs` by their text: the site does not have these files."""
    return _OUTSIDE.sub(r"\1", markdown)
