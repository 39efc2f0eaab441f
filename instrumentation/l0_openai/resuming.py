"""How a broken answer of an OpenAI API is taken up: what a request for the rest looks like, and who understands it."""

from __future__ import annotations

from typing import Any

from l0.patching.upstream import Sketch
from l0.values.calls import Replay
from l0.values.handover import Handover
from l0.values.policy import ResumeMode
from l0.wire.joining import LEAST_OVERLAP

CONTINUE = (
    "Your answer was cut off. Continue it exactly where it stopped, with the very next character. "
    "Do not repeat anything, and do not comment on this."
)

PREFIX_FLAG = {"mistral_ai": "prefix", "deepseek": "prefix"}
"""Providers whose chat API continues a last message of the assistant, and the flag on it that asks for it.

Mistral: https://docs.mistral.ai/capabilities/completion (prefix); DeepSeek, on its beta address:
https://api-docs.deepseek.com/guides/chat_prefix_completion. Both as of November 2026.
"""


def resumes(sketch: Sketch, strategy: ResumeMode, earlier: Handover) -> bool:
    """Whether an answer can be taken up in this way."""
    if sketch.dialect == "responses" and replayed_by_server(sketch):
        return strategy == "exact" and earlier.response_id is not None and earlier.marks["sequence"] is not None
    if sketch.replay is not Replay.SAFE:
        return False
    if strategy == "exact":
        return True
    if not earlier.text or sketch.dialect != "chat":
        return False
    if strategy == "splice":
        return len(earlier.text) >= LEAST_OVERLAP  # else a repetition cannot be told from a restart
    return sketch.provider in PREFIX_FLAG


def take_up(sketch: Sketch, options: Any, strategy: ResumeMode, earlier: Handover) -> None:
    """Rewrite the options: a replay of the stored response, or a conversation that ends with what was said."""
    if sketch.dialect == "responses" and replayed_by_server(sketch):
        options.method = "get"
        options.url = f"/responses/{earlier.response_id}"
        options.params = {**(options.params or {}), "stream": True, "starting_after": earlier.marks["sequence"]}
        options.json_data = None
        options.extra_json = None
        return
    if strategy == "exact":
        return
    said: dict[str, Any] = {"role": "assistant", "content": earlier.text}
    added = [said]
    if strategy == "prefill":
        said[PREFIX_FLAG[sketch.provider]] = True
    else:
        added.append({"role": "user", "content": CONTINUE})
    options.json_data = {**options.json_data, "messages": [*options.json_data["messages"], *added]}


def replayed_by_server(sketch: Sketch) -> bool:
    """Only a background response is kept while it is being made, and can be read again from any event on."""
    return bool(sketch.body.get("background")) and sketch.body.get("store") is not False
