"""The flight of the request that the current thread is sending (`send_deadlines`)."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .send_deadlines import Flight

FLIGHT: ContextVar[Flight | None] = ContextVar("l0_flight", default=None)
