"""What only the openai package knows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from l0.dialects.chat import ChatReader
from l0.dialects.completions import CompletionsReader
from l0.dialects.openai_errors import CODES, in_band
from l0.dialects.responses import ResponsesReader
from l0.model.call import Replay
from l0.model.failure import Cause, Failure
from l0.model.policy import ResumeMode
from l0.model.ports import WireReader
from l0.model.resume_state import ResumeState
from l0.model.tolerant_reading import code_of
from l0.stainless.sdk import Sdk
from l0.stainless.stainless_upstream import InferenceRequest, ReaderContext

from . import describe as requests
from . import resuming


class OpenAIProvider:
    """The openai side of the seam."""

    shared_headers = frozenset({"openai-beta"})

    def __init__(self, sdk: Sdk) -> None:
        self._sdk = sdk

    def describe(self, client: Any, options: Any, *, stream: bool) -> InferenceRequest | None:
        return requests.describe(client, options, stream=stream)

    def reader(self, reading: ReaderContext) -> WireReader:
        response, inference = reading.response, reading.inference
        content_type = response.headers.get("content-type", "")
        make_error = partial(self._error, reading.request)
        if inference.dialect == "responses":
            kept = inference.replay is not Replay.SAFE
            replays = resuming.replayed_by_server(inference)
            return ResponsesReader(reading.build, content_type, kept=kept, replays=replays, make_error=make_error)
        kind = CompletionsReader if inference.dialect == "completions" else ChatReader
        return kind(
            reading.build,
            content_type,
            choices=inference.choices,
            wraps=reading.loop.wraps,
            make_error=make_error,
        )

    def _error(self, request: Any, message: str, body: object) -> Exception:
        error: Exception = self._sdk.package.APIError(message, request=request, body=body)
        return error

    def cause(self, status: int, error: Any) -> tuple[Cause | None, str | None]:  # noqa: ARG002
        code, kind = code_of(error.code), code_of(error.type)
        return CODES.get(code or "") or CODES.get(kind or ""), code or kind

    def in_band(self, error: Any) -> Failure | None:
        body = getattr(error, "body", None)
        failure = in_band(body, lambda *_: error)
        return Failure(cause=failure.cause, detail=failure.detail, code=failure.code, error=error)

    def resumes(self, inference: InferenceRequest, strategy: ResumeMode, resume_state: ResumeState) -> bool:
        return resuming.resumes(inference, strategy, resume_state)

    def resume(
        self, inference: InferenceRequest, options: Any, strategy: ResumeMode, resume_state: ResumeState
    ) -> None:
        resuming.resume(inference, options, strategy, resume_state)

    def prepare(self, client: Any, options: Any, headers: Mapping[str, str]) -> None:
        """openai has no tracing of its own to take over."""
