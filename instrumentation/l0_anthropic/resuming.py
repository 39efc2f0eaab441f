"""How a broken message is taken up: what a request for the rest looks like, and which models understand it."""

from __future__ import annotations

import re
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

PREFILLED = re.compile(
    r"claude-(?:instant|2|3|(?:haiku|sonnet|opus)-4(?:-[015])?(?:-\d{8})?$|(?:haiku|sonnet|opus)-4-\d{8})"
)
"""Models that continue a last message of the assistant. From 4.6 on it is refused with status 400.

https://platform.claude.com/docs/en/build-with-claude/prompt-engineering/prefill-claudes-response, as of November 2026.
"""


def resumes(inference: InferenceRequest, strategy: ResumeMode, resume_state: ResumeState) -> bool:
    """Whether a message can be taken up in this way."""
    if inference.replay is not Replay.SAFE:
        return False
    if strategy == "exact":
        return True
    if not resume_state.text.strip() or inference.body.get("thinking"):
        return False
    if strategy == "splice":
        return len(resume_state.text) >= LEAST_OVERLAP  # else a repetition cannot be told from a restart
    return PREFILLED.search(inference.model) is not None


def resume(options: Any, strategy: ResumeMode, resume_state: ResumeState) -> None:
    """Rewrite the options: a conversation that ends with what was said."""
    if strategy == "exact":
        return
    # White space at the end of a last message is refused; what was left off may come again (`Continued`).
    text = resume_state.text if strategy == "splice" else resume_state.text.rstrip()
    added = [{"role": "assistant", "content": text}]
    if strategy == "splice":
        added.append({"role": "user", "content": CONTINUE})
    options.json_data = {**options.json_data, "messages": [*options.json_data["messages"], *added]}
