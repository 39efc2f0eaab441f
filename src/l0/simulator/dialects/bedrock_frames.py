"""Write blocks as Amazon Bedrock does: in the frames of an AWS event stream, whose type distinguishes errors."""

from base64 import b64encode
from urllib.parse import unquote

from l0.wire.event_stream import frame

from ..sse_writer import dumps
from .server_dialect import AnswerIdentity, ErrorSpec, Json

ERRORS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
_MESSAGES = {
    403: "You don't have access to the model with the specified model ID.",
    404: "Could not resolve the foundation model from the provided model identifier.",
    429: "Too many requests, please wait before trying again.",
    503: "Bedrock is unable to process your request.",
}
_JSON = {":content-type": "application/json"}


def event_frame(block: bytes) -> bytes:
    """Return the frame of a block. Its message type is ``exception`` if the block has the name of an exception."""
    name, data = _read(block)
    kind = "exception" if name.endswith("Exception") else "event"
    name_header = {f":{kind}-type": name} if name else {}
    return frame({**name_header, **_JSON, ":message-type": kind}, data)


def chunk_frame(block: bytes) -> bytes:
    """As `event_frame`, for an event of the model's own API: a chunk whose ``bytes`` are the event in base64."""
    name, data = _read(block)
    if name.endswith("Exception"):
        return event_frame(block)
    payload = dumps({"bytes": b64encode(data).decode()}).encode()
    return frame({":event-type": "chunk", **_JSON, ":message-type": "event"}, payload)


def _read(block: bytes) -> tuple[str, bytes]:
    """Return the name and the data of a block."""
    head, _, data = block.rpartition(b"data: ")
    return head.partition(b"event: ")[2].strip().decode(), data.rstrip(b"\n")


def path_fields(path: str) -> Json:
    """Return the fields that the path of a request states: ``model`` and ``stream``."""
    *_, model, operation = path.split("/")
    return {"model": unquote(model), "stream": operation.endswith("-stream")}


def error(status: int, error_spec: ErrorSpec, _identity: AnswerIdentity) -> Json:
    """Return `{"__type", "message"}`, by default with the service's text."""
    default_type = ERRORS.get(status, ERRORS[400 if status < 500 else 500])
    message = error_spec.message or _MESSAGES.get(
        status, "The system encountered an unexpected error during processing. Try your request again."
    )
    return {"__type": error_spec.code if error_spec.code in ERRORS.values() else default_type, "message": message}


def headers(identity: AnswerIdentity) -> Json:
    """Return the headers of a response, as bedrock-runtime sends them."""
    parts = (identity.digits[:8], identity.digits[8:12], identity.digits[12:16], identity.digits[16:20])
    return {"x-amzn-requestid": "-".join((*parts, identity.digits[:12]))}
