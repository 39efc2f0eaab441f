"""Send a request once, where botocore would repeat it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import uuid4


@dataclass(slots=True, kw_only=True)
class SingleAttempt:
    """One attempt of a call, from the start of botocore's operation to the head of its response.

    ``endpoint``: the endpoint of the client. It tells the attempt's request from those of other clients that fetch
    credentials meanwhile. ``number``: the number of the attempt, from 1. ``read_timeout``: a limit in seconds that is
    shorter than the client's own; ``None`` to use that. ``call_id``: the id that botocore sends to the service with
    every attempt of a call.
    """

    endpoint: Any
    number: int
    read_timeout: float | None
    call_id: str
    sent: Any = None
    """botocore's request, once it was sent."""

    @contextmanager
    def current(self) -> Iterator[None]:
        """Let `send` serve the requests of this thread's operation."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)

    def send(self, operation_model: Any, request_dict: Any) -> Any:
        """Do what botocore's `make_request` does for one attempt."""
        endpoint, context = self.endpoint, request_dict["context"]
        if self.read_timeout is not None:
            context["read_timeout"] = self.read_timeout
        context["retries"] = {"invocation-id": self.call_id}
        endpoint._update_retries_context(context, self.number)
        self.sent = endpoint.create_request(request_dict, operation_model)
        response, error = endpoint._get_response(self.sent, operation_model, context)
        if error is not None:
            raise error
        if "ResponseMetadata" in response[1]:
            response[1]["ResponseMetadata"]["RetryAttempts"] = self.number - 1
        return response


_CURRENT: ContextVar[SingleAttempt | None] = ContextVar("l0_bedrock_attempt", default=None)


def make_request(wrapped: Callable[..., Any], endpoint: Any, args: Any, kwargs: Any) -> Any:
    """Send a request of the current attempt once. Leave other requests to botocore."""
    attempt = _CURRENT.get()
    if attempt is None or attempt.endpoint is not endpoint:
        return wrapped(*args, **kwargs)
    return attempt.send(*args, **kwargs)


def new_call_id() -> str:
    """Return the id of a call."""
    return str(uuid4())
