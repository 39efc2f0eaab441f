"""A request for inference, independent of the SDK that sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .call import AttributeValue, RetrySafety

_NOT_GIVEN = frozenset({"NotGiven", "Omit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRequest:
    """One inference request, as a provider package describes it.

    ``operation``: such as ``"chat"``, for the span. ``certain``: the request goes to a host of the provider itself,
    which is known to send terminal events. ``choices``: the number of answers that it requests. ``resumable``: no
    parameter forbids resuming a broken answer; readers check for themselves which content arrived.
    ``tracer_provider``: the client's own; ``None`` if it has none. ``capture``: the client's own settings ask for
    content on the span.
    """

    dialect: str
    operation: str
    provider: str
    model: str
    retry_safety: RetrySafety
    body: Mapping[str, Any] = field(repr=False)
    attributes: Mapping[str, AttributeValue]
    certain: bool
    choices: int = 1
    resumable: bool = True
    tracer_provider: Any = None
    capture: bool = False


def request_body(options: Any) -> Mapping[str, Any]:
    """Return the JSON that a request of an SDK sends, without the SDK's markers for omitted fields.

    ``options``: the SDK's request options.
    """
    body, extra = options.json_data, options.extra_json
    sent: dict[str, Any] = dict(body) if isinstance(body, Mapping) else {}
    if isinstance(extra, Mapping):
        sent.update(extra)
    for name, value in list(sent.items()):
        if type(value).__name__ in _NOT_GIVEN:
            del sent[name]
    return sent
