"""What only the anthropic package knows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from l0.dialects.messages import MessagesReader
from l0.model.failure import Cause, Failure
from l0.model.policy import ResumeMode
from l0.model.ports import WireReader
from l0.model.resume_state import ResumeState
from l0.stainless.sdk import Sdk
from l0.stainless.stainless_upstream import InferenceRequest, ReaderContext
from l0.telemetry.propagation import current_headers

from . import describe as requests
from . import resuming
from .refusals import TYPES, error_type, refusal
from .tracing import propagates, without_own_span


class AnthropicProvider:
    """The anthropic side of the seam."""

    shared_headers = frozenset({"anthropic-beta"})

    def __init__(self, sdk: Sdk) -> None:
        self._sdk = sdk

    def describe(self, client: Any, options: Any, *, stream: bool) -> InferenceRequest | None:
        return requests.describe(client, options, stream=stream)

    def reader(self, reading: ReaderContext) -> WireReader:
        return MessagesReader(
            reading.build,
            reading.response.headers.get("content-type", ""),
            names=reading.loop.names,
            typed=reading.loop.typed,
            refuse=partial(refusal, reading.client, reading.response),
        )

    def cause(self, status: int, error: Any) -> tuple[Cause | None, str | None]:
        kind = error_type(error.body)
        return (None if status in (402, 413) else TYPES.get(kind or "")), kind

    def in_band(self, error: Any) -> Failure | None:
        kind = error_type(getattr(error, "body", None))
        cause = TYPES.get(kind or "", Cause.IN_BAND_ERROR)
        return Failure(cause=cause, detail=str(error), code=kind, error=error)

    def resumes(self, inference: InferenceRequest, strategy: ResumeMode, resume_state: ResumeState) -> bool:
        return resuming.resumes(inference, strategy, resume_state)

    def resume(
        self,
        inference: InferenceRequest,  # noqa: ARG002 - one dialect
        options: Any,
        strategy: ResumeMode,
        resume_state: ResumeState,
    ) -> None:
        resuming.resume(options, strategy, resume_state)

    def prepare(self, client: Any, options: Any, headers: Mapping[str, str]) -> None:
        """The span of a call is ours; its trace context still goes out where the client's settings say so."""
        if without_own_span(options) and propagates(client):
            given = options.headers if isinstance(options.headers, Mapping) else {}
            options.headers = {**(headers or current_headers()), **given}
