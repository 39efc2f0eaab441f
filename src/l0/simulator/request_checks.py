"""Refuse requests as a provider does: by API key, model, size of the context and rate limits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from .access import RateLimiter, is_authorized
from .dialects.messages_server import MESSAGES
from .dialects.server_dialect import Dialect, InvalidRequestError, SimulatedRequest, prompt_tokens
from .http import HttpRequest
from .simulator_config import SimulatorConfig


class RequestChecks:
    """The checks of one simulator. Used by the server's thread."""

    def __init__(self, config: SimulatorConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._limiter = RateLimiter(config.rate_limits, clock)

    def check_key(self, request: HttpRequest, dialect: Dialect) -> None:
        """Raise `InvalidRequestError` for a request without a valid key."""
        if not is_authorized(request, self._config.api_keys):
            text = "invalid x-api-key" if dialect is MESSAGES else "Incorrect API key provided."
            raise InvalidRequestError(text, 401)

    def check(self, dialect: Dialect, inference: SimulatedRequest) -> None:
        """Raise `InvalidRequestError` for an unknown model, a request larger than the context, or one over a rate
        limit."""
        models, model = self._config.models, inference.model
        if models and model not in models:
            name = f"model: {model}" if dialect is MESSAGES else f"The model `{model}` does not exist."
            raise InvalidRequestError(name, 404)
        self._check_context(dialect, inference)
        wait = self._limiter.take(prompt_tokens(inference))
        if wait > 0:
            headers = {**self.headers(dialect), "retry-after": str(math.ceil(wait))}
            if dialect is not MESSAGES:
                headers["retry-after-ms"] = str(math.ceil(wait * 1000))
            raise InvalidRequestError(f"Rate limit reached. Please try again in {wait:.3g}s.", 429, headers=headers)

    def headers(self, dialect: Dialect) -> Mapping[str, str]:
        """Return the headers that report the rate limits; none without limits."""
        headers: dict[str, str] = {}
        for name, state in self._limiter.states().items():
            if dialect is MESSAGES:
                kind = "requests" if name == "requests" else "input-tokens"
                reset = (datetime.now(UTC) + timedelta(seconds=state.reset_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
                values = {"limit": str(state.limit), "remaining": str(state.remaining), "reset": reset}
                headers |= {f"anthropic-ratelimit-{kind}-{key}": value for key, value in values.items()}
            else:
                reset = f"{state.reset_s:.3f}s"
                values = {"limit": str(state.limit), "remaining": str(state.remaining), "reset": reset}
                headers |= {f"x-ratelimit-{key}-{name}": value for key, value in values.items()}
        return headers

    def _check_context(self, dialect: Dialect, inference: SimulatedRequest) -> None:
        size, prompt, answer = self._config.context_tokens, prompt_tokens(inference), inference.max_tokens or 0
        if size is None or prompt + answer <= size:
            return
        if dialect is not MESSAGES:
            raise InvalidRequestError(
                f"This model's maximum context length is {size} tokens. However, you requested "
                f"{prompt + answer} tokens ({prompt} in the messages, {answer} in the completion).",
                error_code="context_length_exceeded",
            )
        if prompt > size:
            raise InvalidRequestError(f"prompt is too long: {prompt} tokens > {size} maximum")
        raise InvalidRequestError(f"input length and `max_tokens` exceed context limit: {prompt} + {answer} > {size}")
