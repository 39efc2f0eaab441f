"""Who uses the connection of a streamed answer, and so who may close it.

The user holds one response object for the whole call; attempts come and go behind it. If that response is closed, L0
must know who did it: a user who closes has cancelled the call, while the transport and the engine close at the end of
every body. `CallRuntime.connection` says who uses the connection now:

- ``USER``: nobody reads. A close comes from the user. So it is before the first read, while an item is in the user's
  hands, and between two attempts.
- ``READING``: the driver waits for a read. The transport or the SDK's own loop may close at the end of the body; a
  close by a method that users call comes from another thread or task, and cancels the call.
- ``RELEASED``: the driver is done with the attempt, and closes its connection itself.

The engine closes in one place: ``AttemptBody.close``, which a driver calls before the backoff after a failed attempt,
and once more when it leaves `relay`. ``stainless.sdk_responses.ObservedByteStream`` notices every other close.
"""

from __future__ import annotations

from enum import Enum


class ConnectionUse(Enum):
    """Who uses the connection of an attempt."""

    USER = "user"
    READING = "reading"
    RELEASED = "released"
