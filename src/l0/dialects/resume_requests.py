"""Build the requests that resume a broken answer, and decide which strategies a dialect, provider and model support."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from l0.model.inference_request import InferenceRequest
from l0.model.policy import ResumeMode
from l0.model.resume_state import ResumeState

from .overlap import MIN_OVERLAP

CONTINUE_PROMPT = (
    "Your answer was cut off. Continue it exactly where it stopped, with the very next character. "
    "Do not repeat anything, and do not comment on this."
)

PREFIX_FLAG = {"mistral_ai": "prefix", "deepseek": "prefix"}
"""Providers whose chat API can continue a trailing assistant message, with the field of that message that requests it.

Mistral: https://docs.mistral.ai/capabilities/completion (prefix); DeepSeek, on its beta address:
https://api-docs.deepseek.com/guides/chat_prefix_completion. Both as of November 2026.
"""

_REPEATS_PREFILL = frozenset({"mistral_ai"})
"""Providers that repeat the prefill at the start of their answer (`PrefillContinuation`)."""

PREFILL_MODELS = re.compile(
    r"claude-(?:instant|2|3|(?:haiku|sonnet|opus)-4(?:-[015])?(?:-\d{8})?$|(?:haiku|sonnet|opus)-4-\d{8})"
)
"""Models that can continue a trailing assistant message in the Messages API. Claude 4.6 and later reject such a message
with status 400.

https://platform.claude.com/docs/en/build-with-claude/prompt-engineering/prefill-claudes-response, as of November 2026.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequest:
    """A request for the rest of an answer.

    ``body``: the body to send; ``None`` to read a stored response again. ``replayed_from``: the id of that response.
    ``params``: the query parameters of the request that reads it.
    """

    body: Mapping[str, Any] | None
    replayed_from: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


def server_can_replay(inference: InferenceRequest) -> bool:
    """Return True if the server can send the answer again from any event on.

    Only background responses allow that: the server stores them while the model generates them.
    """
    body = inference.body
    return inference.dialect == "responses" and bool(body.get("background")) and body.get("store") is not False


def can_resume(inference: InferenceRequest, strategy: ResumeMode, resume_state: ResumeState) -> bool:
    """Return True if this strategy can resume an answer to this request."""
    if server_can_replay(inference):
        position_known = resume_state.response_id is not None and resume_state.reader_state["sequence"] is not None
        return strategy == "exact" and position_known
    if not inference.retry_safety.once_seen:
        return False
    if strategy == "exact":
        return True
    if resume_state.ended:
        return False
    messages = inference.dialect == "messages"
    if inference.dialect not in ("chat", "messages") or (messages and inference.body.get("thinking")):
        return False
    if not (resume_state.text.strip() if messages else resume_state.text):
        return False
    if strategy == "splice":
        return len(resume_state.text) >= MIN_OVERLAP  # `SplicedContinuation` recognizes no shorter repetition
    if messages:
        return PREFILL_MODELS.search(inference.model) is not None
    if inference.provider in _REPEATS_PREFILL and len(resume_state.text) < MIN_OVERLAP:
        return False
    return inference.provider in PREFIX_FLAG


def resume_request(
    inference: InferenceRequest, body: Mapping[str, Any], strategy: ResumeMode, resume_state: ResumeState
) -> ResumeRequest | None:
    """Return the request that resumes an answer; ``None`` to send the same request again.

    ``body``: the body of the broken attempt.
    """
    if server_can_replay(inference):
        params = {"stream": True, "starting_after": resume_state.reader_state["sequence"]}
        return ResumeRequest(body=None, replayed_from=resume_state.response_id, params=params)
    if strategy == "exact":
        return None
    text = resume_state.text
    if strategy == "prefill" and inference.dialect == "messages":
        text = text.rstrip()  # the API rejects white space at the end; the continuation may repeat it
    assistant: dict[str, Any] = {"role": "assistant", "content": text}
    added = [assistant]
    if strategy == "splice":
        added.append({"role": "user", "content": CONTINUE_PROMPT})
    elif inference.dialect == "chat":
        assistant[PREFIX_FLAG[inference.provider]] = True
    return ResumeRequest(body={**body, "messages": [*body["messages"], *added]})
