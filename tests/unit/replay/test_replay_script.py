"""The search for the recorded attempt that answers a request."""

from dataclasses import dataclass
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest

from l0.replay import replay_script
from l0.replay.replay_script import ReplayRequest, ReplayScript, UnmatchedRequestError

PATH = "/v1/chat/completions"


@dataclass
class Recorded:
    """A recording of calls, each with the attempts of one request body."""

    calls: dict[str, Any]

    def __iter__(self) -> Any:
        return iter(self.calls.values())

    def call(self, key: str) -> Any:
        return self.calls[key]


def attempt(number: int, body: bytes) -> Any:
    request = {"method": "POST", "path": PATH, "bytes": len(body), "sha256": sha256(body).hexdigest()}
    return SimpleNamespace(number=number, started=float(number), request=request, body=body)


def recording(*attempts: list[Any]) -> Any:
    calls = {
        str(place): SimpleNamespace(id=str(place), file="f", started_unix=0.0, began=10.0 * place, attempts=made)
        for place, made in enumerate(attempts)
    }
    return Recorded(calls)


def request(body: bytes, retry: str = "") -> ReplayRequest:
    return ReplayRequest(method="POST", path=PATH, body=body, retry=retry)


@pytest.mark.parametrize(
    ("retries", "numbers"),
    [(["0", "1", "0"], [1, 2, 1]), (["1", "0", "7"], [2, 1, 1]), (["", "", ""], [1, 2, 1])],
)
def test_the_attempt_with_the_same_retry_count_comes_first_then_the_oldest(
    retries: list[str], numbers: list[int]
) -> None:
    script = ReplayScript(recording([attempt(1, b"a"), attempt(2, b"a")], [attempt(1, b"a")]))
    assert [script.take(request(b"a", retry)).number for retry in retries] == numbers
    with pytest.raises(
        UnmatchedRequestError, match=r"no further answer to this .* have been served\. .* use l0 backtest"
    ):
        script.take(request(b"a"))
    script.rewind()
    assert len(script) == 3


def test_requests_in_the_recorded_order_compare_one_attempt_each(monkeypatch: pytest.MonkeyPatch) -> None:
    same_path, compared = replay_script._same_path, []
    monkeypatch.setattr(replay_script, "_same_path", lambda *paths: compared.append(paths) or same_path(*paths))
    bodies = [b"%d" % number for number in range(200)]
    script = ReplayScript(recording(*([attempt(1, body)] for body in bodies)))
    assert [script.take(request(body, "0")).body for body in bodies] == bodies
    assert len(compared) == len(bodies)
