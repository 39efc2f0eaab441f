"""All dialects, by the name in `Call.dialect` and on spans."""

from __future__ import annotations

from .chat import CHAT
from .completions import COMPLETIONS
from .converse import CONVERSE
from .generate_content import GENERATE_CONTENT
from .messages import MESSAGES
from .responses import RESPONSES
from .wire_dialect import WireDialect

DIALECTS: dict[str, WireDialect] = {
    "chat": CHAT,
    "completions": COMPLETIONS,
    "embeddings": COMPLETIONS,  # has the same usage fields, and no choices
    "responses": RESPONSES,
    "messages": MESSAGES,
    "generate_content": GENERATE_CONTENT,
    "converse": CONVERSE,
}
