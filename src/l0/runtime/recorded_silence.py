"""The end of a played recording whose client stopped waiting: what the provider would have sent is not known."""

from __future__ import annotations

from collections.abc import Sequence


class RecordedSilence(BaseException):
    """The recorded client stopped waiting here, ``waited_s`` seconds after its request.

    ``silences_s``: the seconds since each read of the body, the last read first; since the headers if there was none.
    A cassette raises it instead of waiting. If a deadline of the call would have passed by then, the call treats it as
    that deadline and sets ``accepted``. Otherwise it ends the test: it is not an `Exception`, so nothing retries it.
    """

    waited_s = 0.0
    silences_s: Sequence[float] = (0.0,)
    accepted = False
