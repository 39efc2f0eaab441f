"""Keep stored Responses, so that they can be read again, and their streams resumed after a known event."""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from .answers import Answer
from .dialects.responses_server import RESPONSES
from .dialects.server_dialect import AnswerIdentity, SimulatedRequest
from .http import HttpRequest
from .respond import json_response, stream_headers
from .steps import Send, SimulatedResponse

_MAX_KEPT = 256
_NUMBER = re.compile(r"[0-9]{1,9}")


class StoredResponses:
    """The last 256 answers to Responses requests, by id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Answer, SimulatedRequest, AnswerIdentity]] = OrderedDict()

    def keep(self, answer: Answer, inference: SimulatedRequest, identity: AnswerIdentity) -> None:
        """Store an answer, unless the request has `store: false`."""
        if inference.store:
            with self._lock:
                self._kept[f"resp_{identity.digits}"] = (answer, inference, identity)
                while len(self._kept) > _MAX_KEPT:
                    self._kept.popitem(last=False)

    def continued(self, inference: SimulatedRequest) -> SimulatedRequest:
        """Return a request with its turns counted from the stored response that it continues; unchanged if there is no
        such response."""
        with self._lock:
            found = self._kept.get(inference.previous or "")
        if found is None or not found[1].conversations:
            return inference
        before = found[1].conversations[0].turn
        counted = (replace(each, turn=each.turn + before) for each in inference.conversations)
        return replace(inference, conversations=tuple(counted))

    def replay(self, request: HttpRequest) -> SimulatedResponse | None:
        """Return the response to `GET /responses/{id}`; None for other requests and unknown ids.

        With `stream=true` it is a stream, from the event after the number `starting_after`.
        """
        before, _, identifier = request.path.rpartition("/")
        if request.method != "GET" or not before.endswith("/responses"):
            return None
        with self._lock:
            found = self._kept.get(identifier)
        if found is None:
            return None
        answer, inference, identity = found
        if request.query.get("stream") != "true":
            return json_response(200, RESPONSES.complete(answer, inference, identity), RESPONSES.headers(identity))
        after = request.query.get("starting_after", "")
        skipped = int(after) + 1 if _NUMBER.fullmatch(after) else 0
        return SimulatedResponse(status=200, headers=stream_headers(RESPONSES, identity), steps=_rest(found, skipped))


def _rest(found: tuple[Answer, SimulatedRequest, AnswerIdentity], skipped: int) -> Iterator[Send]:
    answer, inference, identity = found
    return (
        Send(block, 1)
        for block in islice(RESPONSES.events(answer, replace(inference, stream=True), identity), skipped, None)
    )
