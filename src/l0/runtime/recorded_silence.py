"""The end of a played recording whose client stopped waiting: what the provider would have sent is not known."""


class RecordedSilence(BaseException):
    """The recorded client stopped waiting here, ``waited_s`` seconds after its request and ``silence_s`` after the last
    bytes.

    A cassette raises it instead of waiting. If a deadline of the call would have passed by then, the call treats it as
    that deadline and sets ``accepted``. Otherwise it ends the test: it is not an `Exception`, so nothing retries it.
    """

    waited_s = 0.0
    silence_s = 0.0
    accepted = False
