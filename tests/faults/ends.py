"""The ends that calls may have that meet a fault: the same for every SDK, but for the class of the error."""

from collections.abc import Callable

from faults_kit import Seen, difference, prefix_mismatch
from rows import End, Row

import l0

OfSdk = Callable[[Exception], bool]
"""Return True for an error of the class with which an SDK reports a broken connection."""


def is_connection_error(error: Exception) -> bool:
    """Return True for an `APIConnectionError` of any SDK."""
    return any(kind.__name__ == "APIConnectionError" for kind in type(error).__mro__)


def mismatch(end: End, seen: Seen, bare: Seen, whole: list[object], of_sdk: OfSdk = is_connection_error) -> str | None:
    """Return how the result of a call differs from the end that it must have; ``None`` if it does not.

    ``bare``: the result without L0. ``whole``: the chunks of the same answer without a fault.
    """
    return broken(seen, bare, whole, of_sdk) if end is End.BROKEN else CHECKS[end](seen, bare, whole)


def expect(
    end: End, row: Row, seen: Seen, bare: Seen, whole: list[object], of_sdk: OfSdk = is_connection_error
) -> None:
    """Assert that a call ended as it must, after as many requests as its row says, and in one span."""
    found = mismatch(end, seen, bare, whole, of_sdk)
    assert found is None, f"{end.value}: {found}"
    requests = row.requests or (2 if end is End.HEALED else 1)
    assert seen.requests == requests, f"{seen.requests} requests: {seen.error!r}"
    assert seen.spans == 1
    assert seen.span is not None
    assert seen.span["l0.attempts"] == requests
    if end is End.BROKEN and row.reason is not None:
        assert isinstance(seen.error, l0.StreamInterrupted)
        assert seen.error.reason == row.reason


def healed(seen: Seen, _: Seen, whole: list[object]) -> str | None:
    return ended(seen, None, "recovered_retry") or difference(seen.chunks, whole)


def broken(seen: Seen, bare: Seen, whole: list[object], of_sdk: OfSdk) -> str | None:
    error = seen.error
    if not isinstance(error, l0.StreamInterrupted) or not of_sdk(error):
        return f"{error!r}, {len(seen.chunks)} of {len(whole)} chunks"
    if bare.error is not None and not isinstance(error, type(bare.error)):
        return f"{error!r} is no {type(bare.error)}"
    return ended(seen, type(error), "failed") or prefix_mismatch(seen.chunks, whole)


def sdk(seen: Seen, bare: Seen, _: list[object]) -> str | None:
    if bare.error is None:
        return "the bare SDK raises nothing: the row is wrong"
    if not isinstance(seen.error, type(bare.error)):
        return f"{seen.error!r}, not {bare.error!r}"
    return ended(seen, type(bare.error), "failed") or difference(seen.chunks, bare.chunks)


def event(seen: Seen, bare: Seen, _: list[object]) -> str | None:
    if not isinstance(seen.error, l0.StreamInterrupted):
        return f"{seen.error!r} after {len(seen.chunks)} chunks"
    return ended(seen, type(seen.error), "failed") or difference(seen.chunks, bare.chunks)


def proven(seen: Seen, bare: Seen, _: list[object]) -> str | None:
    if not isinstance(seen.error, l0.StreamInterrupted):
        return f"{seen.error!r} after {len(seen.chunks)} chunks"
    return ended(seen, type(seen.error), "failed") or prefix_mismatch(seen.chunks, bare.chunks)


def accepted(seen: Seen, bare: Seen, _: list[object]) -> str | None:
    return ended(seen, None, "ok") or difference(seen.chunks, bare.chunks)


def unharmed(seen: Seen, _: Seen, whole: list[object]) -> str | None:
    return ended(seen, None, "ok") or difference(seen.chunks, whole)


def unseen(seen: Seen, bare: Seen, whole: list[object]) -> str | None:
    if difference(bare.chunks, whole) is None:
        return "nothing is wrong with this answer: the row is wrong"
    return accepted(seen, bare, whole)


CHECKS = {
    End.HEALED: healed,
    End.SDK: sdk,
    End.EVENT: event,
    End.PROVEN: proven,
    End.SAME: accepted,
    End.WHOLE: unharmed,
    End.UNSEEN: unseen,
}


def ended(seen: Seen, error: type[Exception] | None, outcome: str) -> str | None:
    """Return the errors in the end of the call, for its user and on its span."""
    if error is None and seen.error is not None:
        return f"{seen.error!r} after {len(seen.chunks)} chunks"
    if seen.span is None:
        return "no span"
    status = "ERROR" if outcome == "failed" else "UNSET"
    shown = (seen.span["l0.outcome"], seen.span["status"])
    return None if shown == (outcome, status) else f"the span says {shown}, not {(outcome, status)}"
