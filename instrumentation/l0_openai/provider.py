"""What only the openai package knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l0.patching.sdk import Sdk
from l0.patching.upstream import Reading, Sketch
from l0.values.calls import Replay
from l0.values.events import Facts
from l0.values.failures import Cause, Failure
from l0.values.handover import Handover
from l0.values.policy import ResumeMode
from l0.values.ports import WireReader
from l0.values.tolerant import code_of

from . import describe as requests
from . import resuming
from .dialects.chat import ChatReader
from .dialects.completions import CompletionsReader
from .dialects.responses import ResponsesReader
from .in_band import CODES, in_band
from .whole import whole


class OpenAIProvider:
    """The openai side of the seam."""

    shared_headers = frozenset({"openai-beta"})

    def __init__(self, sdk: Sdk) -> None:
        self._sdk = sdk

    def describe(self, client: Any, options: Any, *, stream: bool) -> Sketch | None:
        return requests.describe(client, options, stream=stream)

    def reader(self, reading: Reading) -> WireReader:
        response, sketch = reading.response, reading.sketch
        content_type = response.headers.get("content-type", "")
        if sketch.dialect == "responses":
            kept = sketch.replay is not Replay.SAFE
            replays = resuming.replayed_by_server(sketch)
            return ResponsesReader(reading.build, content_type, kept=kept, replays=replays, request=reading.request)
        kind = CompletionsReader if sketch.dialect == "completions" else ChatReader
        return kind(
            reading.build,
            content_type,
            choices=sketch.choices,
            wraps=reading.loop.wraps,
            request=reading.request,
        )

    def cause(self, status: int, error: Any) -> tuple[Cause | None, str | None]:  # noqa: ARG002
        code, kind = code_of(error.code), code_of(error.type)
        return CODES.get(code or "") or CODES.get(kind or ""), code or kind

    def in_band(self, error: Any) -> Failure | None:
        body = getattr(error, "body", None)
        failure = in_band(body, error.request)
        return Failure(cause=failure.cause, detail=failure.detail, code=failure.code, error=error)

    def whole(self, sketch: Sketch, answer: Mapping[str, Any]) -> tuple[Facts | None, str]:
        return whole(sketch.dialect, answer)

    def resumes(self, sketch: Sketch, strategy: ResumeMode, earlier: Handover) -> bool:
        return resuming.resumes(sketch, strategy, earlier)

    def take_up(self, sketch: Sketch, options: Any, strategy: ResumeMode, earlier: Handover) -> None:
        resuming.take_up(sketch, options, strategy, earlier)

    def prepare(self, client: Any, options: Any, headers: Mapping[str, str]) -> None:
        """openai has no tracing of its own to take over."""
