"""An answer is played with its waits, its timeouts and its end."""

from math import inf
from types import ModuleType
from typing import Any

import pytest
from installed import httpx

from l0.pytest_plugin.cassette_entry import CassetteAnswer
from l0.pytest_plugin.cassette_playback import CassettePlayback

ANSWER = CassetteAnswer(status=200, head_ms=100.0, reads=((200.0, b"a"), (500.0, b"b")), end_ms=600.0)
TRANSPORT: ModuleType = httpx


class Silence(Exception):
    """Seconds since the request, and since each read of the body, the last first."""


def playback(answer: CassetteAnswer = ANSWER, speed: float = 1.0, timeout_s: float | None = None) -> CassettePlayback:
    return CassettePlayback(
        answer=answer,
        speed=speed,
        transport=TRANSPORT,
        read_timeout_s=timeout_s,
        ended_early=lambda: EOFError("early"),
        silent=Silence,
    )


@pytest.mark.parametrize(("speed", "factor"), [(1.0, 1.0), (10.0, 0.1), (inf, 0.0)])
def test_speed_shortens_every_wait(speed: float, factor: float) -> None:
    played = playback(speed=speed)
    steps = [*played.head(), *played.body()]
    assert [part for _, part in steps] == [None, b"a", b"b", None]
    assert [wait_s for wait_s, _ in steps] == pytest.approx([0.1 * factor, 0.1 * factor, 0.3 * factor, 0.1 * factor])


def test_read_timeout_of_the_transport_applies() -> None:
    steps: list[Any] = []
    with pytest.raises(httpx.ReadTimeout):
        steps.extend(playback(timeout_s=0.25).body())
    assert [*playback(timeout_s=0.25, speed=2.0).body()]


@pytest.mark.parametrize(
    ("answer", "waited_s", "silences_s"),
    [
        (
            CassetteAnswer(
                status=200, head_ms=100.0, reads=((200.0, b"a"), (300.0, b"b")), end="gave_up", end_ms=900.0
            ),
            0.9,
            [0.6, 0.7],
        ),
        (CassetteAnswer(status=200, head_ms=100.0, end="gave_up", end_ms=900.0), 0.9, [0.8]),
        (CassetteAnswer(end="gave_up", end_ms=900.0), 0.9, [0.9]),
    ],
    ids=["in the body", "before the body", "before the head"],
)
def test_silence_of_the_provider_is_played_without_a_wait(
    answer: CassetteAnswer, waited_s: float, silences_s: list[float]
) -> None:
    played, waits = playback(answer, speed=inf), []
    with pytest.raises(Silence) as raised:
        for wait_s, _ in [*played.head(), *played.body()]:
            waits.append(wait_s)
    assert sum(waits) == 0
    assert raised.value.args[0] == waited_s
    assert raised.value.args[1] == pytest.approx(silences_s)


@pytest.mark.parametrize(("end", "error"), [("closed", EOFError), ("error", httpx.ReadError)], ids=["closed", "error"])
def test_answer_breaks_where_it_was_recorded_to(end: Any, error: type[Exception]) -> None:
    broken = CassetteAnswer(
        status=200, reads=((0.0, b"a"),), end=end, error=({"type": "httpx.ReadError", "message": "reset"},)
    )
    parts = []
    with pytest.raises(error):
        for _, part in playback(broken).body():
            parts.append(part)
    assert b"".join(part for part in parts if part) == b"a"
