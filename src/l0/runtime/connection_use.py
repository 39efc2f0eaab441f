"""The current user of a streamed answer's connection, who may therefore close it.

The user holds one response object for the whole call, while attempts come and go behind it. If that response is closed,
L0 must know who closed it: a user who closes it cancels the call, while the transport and the engine close at the end
of every body. `CallRuntime.connection` names the current user of the connection:

- ``USER``: nobody reads, so a close comes from the user. This holds before the first read, while the user has an
  item, and between two attempts.
- ``READING``: the driver waits for a read. The transport or the SDK's own loop may close at the end of the body; a
  close by a method that users call comes from another thread or task, and cancels the call.
- ``RELEASED``: the driver is done with the attempt, and closes its connection itself.

The engine closes in one place: ``AttemptBody.close``. A driver calls it before the backoff after a failed attempt, and
again when it leaves `relay`. ``stainless.sdk_responses.ObservedByteStream`` observes every other close.
"""

from __future__ import annotations

from enum import Enum


class ConnectionUse(Enum):
    """The current user of an attempt's connection."""

    USER = "user"
    READING = "reading"
    RELEASED = "released"
