"""Call ``on_burn`` for each new burn, and call it again later if it failed: an alert must not be lost."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from l0.model.errors import raised_with_text
from l0.slo.status_report import Burn

_log = logging.getLogger("l0")

RETRY_AFTER_S = (0, 10, 60, 300)
"""The time in s after each failed call of ``on_burn`` until it is called again, with the next event from then on.

The first retry covers an accident, the last one a restart of the service that receives the alerts. After it the alert
is dropped, because a callback with a mistake in it would fail every time.
"""


@dataclass(slots=True)
class _Alert:
    """A burn to report. ``reported``: is called once ``on_burn`` has succeeded. ``due``: no call before this time."""

    burn: Burn
    reported: Callable[[Burn], None]
    due: float
    failures: int = 0


class BurnAlerts:
    """The alerts of one ``on_burn``. Its failures are logged and never reach the call."""

    def __init__(self, on_burn: Callable[[Burn], None]) -> None:
        self._on_burn = on_burn
        self._failed: deque[_Alert] = deque()

    @property
    def has_failed(self) -> bool:
        """True if `send` has a burn to report again."""
        return bool(self._failed)

    def send(self, burns: Sequence[Burn], reported: Callable[[Burn], None], at: float) -> None:
        """Report new burns, and those whose report failed and is due. Runs with every event; ``at``: its time."""
        for burn in burns:
            self._send(_Alert(burn, reported, at), at)
        for _ in range(len(self._failed) if not burns else 0):
            try:
                alert = self._failed.popleft()
            except IndexError:  # another thread was faster
                return
            if at < alert.due:
                self._failed.append(alert)
            else:
                self._send(alert, at)

    def _send(self, alert: _Alert, at: float) -> None:
        try:
            self._on_burn(alert.burn)
        except Exception:
            retries = alert.failures < len(RETRY_AFTER_S)
            outlook = "It is called again with a later event." if retries else "It is not called again for this burn."
            _log.warning("on_burn failed: %s. %s The alert: %s", raised_with_text(), outlook, alert.burn)
            if retries:
                alert.due = at + RETRY_AFTER_S[alert.failures]
                alert.failures += 1
                self._failed.append(alert)
        else:
            alert.reported(alert.burn)
