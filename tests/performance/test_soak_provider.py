"""The provider of the soak breaks the share of answers that it is given."""

import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path
from random import Random

import pytest

from l0.testing import simulator

ROOT = Path(__file__).resolve().parents[2]
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}).encode()
CALLS = 12


def is_complete(url: str) -> bool:
    request = urllib.request.Request(url, BODY, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=2) as response:
            return response.read().rstrip().endswith(b"[DONE]")
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except (OSError, http.client.HTTPException):  # a reset, a stall, an incomplete body
        return False


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_soak_provider_breaks_its_share_of_answers(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.breaking import break_some

    with simulator() as server:
        break_some(server, share, Random(0))
        complete = sum(is_complete(f"{server.origin}/v1/chat/completions") for _ in range(CALLS))
    assert (complete == CALLS) if share == 0 else (complete < CALLS)
