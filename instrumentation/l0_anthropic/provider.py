"""What only the anthropic package knows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from l0.patching.sdk import Sdk
from l0.patching.upstream import Reading, Sketch
from l0.telemetry.propagating import current_headers
from l0.values.events import Facts
from l0.values.failures import Cause, Failure
from l0.values.handover import Handover
from l0.values.policy import ResumeMode
from l0.values.ports import WireReader

from . import describe as requests
from . import resuming
from .messages import MessagesReader
from .refusals import TYPES, error_type, refusal
from .tracing import propagates, without_own_span
from .whole import whole


class AnthropicProvider:
    """The anthropic side of the seam."""

    shared_headers = frozenset({"anthropic-beta"})

    def __init__(self, sdk: Sdk) -> None:
        self._sdk = sdk

    def describe(self, client: Any, options: Any, *, stream: bool) -> Sketch | None:
        return requests.describe(client, options, stream=stream)

    def reader(self, reading: Reading) -> WireReader:
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

    def whole(self, sketch: Sketch, answer: Mapping[str, Any]) -> tuple[Facts | None, str]:  # noqa: ARG002
        return whole(answer)

    def resumes(self, sketch: Sketch, strategy: ResumeMode, earlier: Handover) -> bool:
        return resuming.resumes(sketch, strategy, earlier)

    def take_up(self, sketch: Sketch, options: Any, strategy: ResumeMode, earlier: Handover) -> None:  # noqa: ARG002
        resuming.take_up(options, strategy, earlier)

    def prepare(self, client: Any, options: Any, headers: Mapping[str, str]) -> None:
        """The span of a call is ours; its trace context still goes out where the client's settings say so."""
        if without_own_span(options) and propagates(client):
            given = options.headers if isinstance(options.headers, Mapping) else {}
            options.headers = {**(headers or current_headers()), **given}
