"""The request that the current thread is sending, as a `send_deadlines.Flight`."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .send_deadlines import Flight

FLIGHT: ContextVar[Flight | None] = ContextVar("l0_flight", default=None)
