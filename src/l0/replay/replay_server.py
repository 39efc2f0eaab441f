"""Serve recorded attempts as a provider, over the simulator's connections."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from math import inf
from os import PathLike
from typing import get_args

from l0.model.option_names import refuses_unknown_options
from l0.recording.recording import Recording
from l0.simulator import http, routes
from l0.simulator.dialects.server_dialect import AnswerIdentity, Dialect
from l0.simulator.server import Simulator
from l0.simulator.simulator_config import SimulatorConfig
from l0.simulator.steps import SimulatedResponse

from .recorded_response import recorded_response
from .replay_script import RETRY_COUNT, Match, ReplayRequest, ReplayScript, UnmatchedRequestError

_log = logging.getLogger("l0")
_UNMATCHED = 404
"""The status of a request that matches no recorded one. The SDKs do not retry it."""


@refuses_unknown_options
@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """``call``: the id, beginning of an id or trace id of one call, or ``"last"``; ``None`` for all. ``speed``: 1 for
    the recorded times, ``inf`` for no waits. ``match``: as in `Match`.

    Raises `ValueError` for a value that is not allowed.
    """

    call: str | None = None
    speed: float = 1.0
    match: Match = "body"

    def __post_init__(self) -> None:
        is_number = isinstance(self.speed, int | float) and not isinstance(self.speed, bool)
        if not is_number or not 0 < self.speed <= inf:
            raise ValueError(f"speed: got {self.speed!r}, allowed: a number above 0, or inf")
        if self.match not in get_args(Match):
            raise ValueError(f"match: got {self.match!r}, allowed: {', '.join(get_args(Match))}")


@refuses_unknown_options
class ReplayServer(Simulator):
    """A provider that answers each request with the recorded attempt that matches it; with status 404 if none does.

    ``unmatched``: a text for each request that no attempt answered. Raises `RecordingError` if ``path``, a file or a
    folder, holds no request.
    """

    def __init__(
        self, path: str | PathLike[str], options: ReplayOptions | None = None, config: SimulatorConfig | None = None
    ) -> None:
        super().__init__(config)
        self.options = options or ReplayOptions()
        self.recording = Recording.open(path)
        self.unmatched: list[str] = []
        try:
            self.replay_script = ReplayScript(self.recording, call=self.options.call, match=self.options.match)
        except BaseException:
            self.recording.close()
            raise

    @property
    def remaining(self) -> int:
        """The number of attempts that have not been served."""
        return len(self.replay_script)

    async def start(self) -> None:
        """Listen. If that fails, close the recording."""
        try:
            await super().start()
        except BaseException:
            self.recording.close()
            raise

    async def stop(self) -> None:
        """Close all connections and the recording."""
        try:
            await super().stop()
        finally:
            self.recording.close()

    def reset(self) -> None:
        """Clear the log, and serve every attempt once more."""
        super().reset()
        self.replay_script.rewind()
        self.unmatched.clear()

    def _response(self, request: http.HttpRequest, dialect: Dialect | None, index: int) -> SimulatedResponse:
        wanted = ReplayRequest(
            method=request.method,
            path=request.target,
            body=request.body,
            retry=request.headers.get(RETRY_COUNT, ""),
        )
        try:
            return recorded_response(self.replay_script.take(wanted), self.options.speed)
        except UnmatchedRequestError as error:
            self.unmatched.append(str(error))
            _log.warning("replay: %s", error)
            refused = routes.failed(
                dialect or routes.family_of(request), _UNMATCHED, str(error), AnswerIdentity.of(0, index)
            )
            return replace(refused, headers={**refused.headers, "x-should-retry": "false"})
