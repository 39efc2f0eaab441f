"""Simulate Anthropic's models behind Amazon Bedrock's `InvokeModel` and `InvokeModelWithResponseStream`."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from l0.wire.event_stream import CONTENT_TYPE

from ..answers import Answer
from .bedrock_frames import chunk_frame, error, headers, path_fields
from .converse_server import in_band
from .messages_server import MESSAGES
from .server_dialect import AnswerIdentity, SimulatedRequest, required


def read_request(body: Mapping[str, Any]) -> SimulatedRequest:
    """Read a request body, to which the fields of its path were added."""
    required(body, "anthropic_version")
    return MESSAGES.read_request(body)


def events(answer: Answer, request: SimulatedRequest, identity: AnswerIdentity) -> Iterator[bytes]:
    """Yield the events of the messages dialect without pings, which Bedrock does not send."""
    return (event for event in MESSAGES.events(answer, request, identity) if event != MESSAGES.idle)


BEDROCK_MESSAGES = replace(
    MESSAGES,
    read_request=read_request,
    events=events,
    error=error,
    in_band=in_band,
    failed=in_band,
    headers=headers,
    path_fields=path_fields,
    stream_type=CONTENT_TYPE,
    frame=chunk_frame,
)
