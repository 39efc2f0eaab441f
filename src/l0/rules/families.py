"""Define the families of findings, which guardrails, drift detectors and schemas share."""

from __future__ import annotations

from enum import StrEnum


class Family(StrEnum):
    """The kind of a defect in an answer. Rules that can find the same defect declare the same family.

    Each rule lists its families with their severities in ``covers``. Each `Violation` names its own families in
    ``families``. If several findings in one passage share a family, only one is reported: see `FindingFilter`.
    """

    EMPTY = "empty"
    """The answer has no output."""
    LENGTH = "length"
    """The answer is too short or too long."""
    JSON = "json"
    """JSON in the answer is missing, invalid or incomplete."""
    SCHEMA = "schema"
    """The answer is JSON but does not match its schema."""
    MARKDOWN = "markdown"
    """Markdown is broken, or not closed."""
    LATEX = "latex"
    """LaTeX is not balanced."""
    META_COMMENTARY = "meta_commentary"
    """The answer talks about the model or its task."""
    INSTRUCTION_LEAK = "instruction_leak"
    """The answer reveals the instructions of the model."""
    TEMPLATE_LEAK = "template_leak"
    """The answer contains markers of the chat template."""
    HEDGING = "hedging"
    """The answer expresses doubt in itself."""
    REFUSAL = "refusal"
    """The answer declines the request."""
    PLACEHOLDER = "placeholder"
    """The answer contains text that should have been filled in."""
    FORMAT = "format"
    """The answer leaves the format in which it began."""
    GARBLED = "garbled"
    """The answer contains random characters, or text in the wrong encoding."""
    LOOP = "loop"
    """The answer repeats itself."""
    FILLER = "filler"
    """The answer continues with no letters and digits, or with one short unit."""
    TONE = "tone"
    """The answer changes its register."""
