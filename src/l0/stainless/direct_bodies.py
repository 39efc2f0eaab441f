"""Read a body directly if its connection is known and the proof of its transport holds, else as usual."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from . import direct_reading
from .direct_reading import DirectConnection
from .direct_verdicts import PROOFS

_PREPARED: set[type] = set()
"""The classes of network streams over which a proof has run before the first read of a body."""


def direct_reads(stream: Any) -> Iterator[bytes]:
    """Return the raw reads of the body that ``stream`` reads, directly if possible."""
    connection, verdict = _known(stream)
    if connection is None:
        return iter(stream)
    proven = PROOFS.prove(connection) if verdict is None else verdict
    return direct_reading.read_body(connection) if proven else iter(stream)


def adirect_reads(stream: Any) -> AsyncIterator[bytes]:
    """As `direct_reads`."""
    connection, verdict = _known(stream)
    if connection is None:
        return aiter(stream)
    if verdict is None:
        return _once_proven(connection)
    return direct_reading.aread_body(connection) if verdict else aiter(stream)


async def aprove(stream: Any, network: type) -> None:
    """Run the proof for the body that ``stream`` reads, if it is the first over a ``network`` of its class."""
    if network in _PREPARED:
        return
    connection, verdict = _known(stream)
    if connection is not None:
        if verdict is None:
            await PROOFS.aprove(connection)
        _PREPARED.add(network)


def _known(stream: Any) -> tuple[DirectConnection | None, bool | None]:
    """Return the connection of a body, and the verdict on its transport; no connection if anything is unexpected."""
    try:
        connection = direct_reading.connection_of(stream)
        return connection, None if connection is None else PROOFS.verdict(connection)
    except Exception:  # private names of an unknown version
        return None, None


async def _once_proven(connection: DirectConnection) -> AsyncIterator[bytes]:
    """Run the proof if it has not run meanwhile, then yield the raw reads."""
    verdict = PROOFS.verdict(connection)
    if not (await PROOFS.aprove(connection) if verdict is None else verdict):
        async for part in connection.stream:
            yield part
        return
    async with aclosing(direct_reading.aread_body(connection)) as parts:
        async for part in parts:
            yield part
