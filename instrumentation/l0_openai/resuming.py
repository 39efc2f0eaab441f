"""How a broken answer of an OpenAI API is taken up: what a request for the rest looks like, and who understands it."""

from __future__ import annotations

from typing import Any

from l0.dialects.overlap import LEAST_OVERLAP
from l0.model.call import Replay
from l0.model.policy import ResumeMode
from l0.model.resume_state import ResumeState
from l0.stainless.stainless_upstream import InferenceRequest

CONTINUE = (
    "Your answer was cut off. Continue it exactly where it stopped, with the very next character. "
    "Do not repeat anything, and do not comment on this."
)

PREFIX_FLAG = {"mistral_ai": "prefix", "deepseek": "prefix"}
"""Providers whose chat API continues a last message of the assistant, and the flag on it that asks for it.

Mistral: https://docs.mistral.ai/capabilities/completion (prefix); DeepSeek, on its beta address:
https://api-docs.deepseek.com/guides/chat_prefix_completion. Both as of November 2026.
"""


def resumes(inference: InferenceRequest, strategy: ResumeMode, resume_state: ResumeState) -> bool:
    """Whether an answer can be taken up in this way."""
    if inference.dialect == "responses" and replayed_by_server(inference):
        return (
            strategy == "exact" and resume_state.response_id is not None and resume_state.marks["sequence"] is not None
        )
    if inference.replay is not Replay.SAFE:
        return False
    if strategy == "exact":
        return True
    if not resume_state.text or inference.dialect != "chat":
        return False
    if strategy == "splice":
        return len(resume_state.text) >= LEAST_OVERLAP  # else a repetition cannot be told from a restart
    return inference.provider in PREFIX_FLAG


def resume(inference: InferenceRequest, options: Any, strategy: ResumeMode, resume_state: ResumeState) -> None:
    """Rewrite the options: a replay of the stored response, or a conversation that ends with what was said."""
    if inference.dialect == "responses" and replayed_by_server(inference):
        options.method = "get"
        options.url = f"/responses/{resume_state.response_id}"
        options.params = {**(options.params or {}), "stream": True, "starting_after": resume_state.marks["sequence"]}
        options.json_data = None
        options.extra_json = None
        return
    if strategy == "exact":
        return
    said: dict[str, Any] = {"role": "assistant", "content": resume_state.text}
    added = [said]
    if strategy == "prefill":
        said[PREFIX_FLAG[inference.provider]] = True
    else:
        added.append({"role": "user", "content": CONTINUE})
    options.json_data = {**options.json_data, "messages": [*options.json_data["messages"], *added]}


def replayed_by_server(inference: InferenceRequest) -> bool:
    """Only a background response is kept while it is being made, and can be read again from any event on."""
    return bool(inference.body.get("background")) and inference.body.get("store") is not False
