"""The summary of the calls of a process, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .layout import ConsoleLayout
from .summary_lines import summary_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Percentiles of a time, in seconds, accurate to 10 %. ``None``: nothing was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """The calls whose primary is this model of this provider, even if a fallback answered.

    ``provider``: empty if it is not known. ``first_token``: the times from the call to the first chunk that the user
    got, retries included. ``gap``: percentiles, over the calls, of each call's own 95th percentile of its gaps; a
    gap is the time between two reads that brought content. ``longest_gap``: of all calls, in seconds; ``None`` if there
    was no gap. ``input_tokens``, ``output_tokens``: as far as providers report them, for answers and for attempts that
    failed; ``None`` if none was reported.
    """

    provider: str
    model: str
    calls: int
    failed: int
    first_token: Percentiles
    gap: Percentiles
    longest_gap: float | None = None
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The calls of a process. ``process``: the process id. ``seconds``: the time since counting began.

    ``calls``: those that have ended. ``whole``, ``recovered``, ``doubtful``, ``failed`` and ``cancelled`` add up to it.
    ``running``: calls that have not ended. ``whole``: answered by the first request. ``recovered``: by the cause of
    their last failure; ``hedge`` if nothing failed, and a parallel request was faster. ``doubtful``: accepted, but
    perhaps truncated. ``failed``: by cause. ``stopped``: the failed calls by the reason why they made no further
    attempt. ``extra_requests``: requests after the first one of each call. ``sdk_retries``: those of them that the
    bare SDK's own retries would have sent too. ``recovery_seconds``: the time of failed attempts that were followed by
    another one, and of the waits before it, over all calls. ``wasted_tokens``: tokens of requests that did not serve
    an answer, as far as providers report them. ``unknown_waste``: calls with such a request for which the provider
    reported none. ``models``: the models with most calls first; `OTHER_MODELS`, the last one, sums up the models
    beyond the limit.
    """

    process: int
    seconds: float
    calls: int
    running: int
    whole: int
    recovered: Mapping[str, int]
    doubtful: int
    failed: Mapping[str, int]
    cancelled: int
    stopped: Mapping[str, int]
    extra_requests: int
    sdk_retries: int
    recovery_seconds: float
    wasted_tokens: int
    unknown_waste: int
    models: tuple[ModelSummary, ...]

    def __str__(self) -> str:
        """Return the summary as the console shows it."""
        return "\n".join(line.plain_text for line in summary_lines(self, ConsoleLayout()))


OTHER_MODELS = "other models"
"""The name of `ModelSummary.model` for the models that are not summed up separately."""
