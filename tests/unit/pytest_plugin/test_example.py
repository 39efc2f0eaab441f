"""The example application: its tests pass with the network off, and can be recorded again."""

import shutil
import socket
from pathlib import Path

import pytest

from l0.testing import simulator

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "chat_app"
OLD_TRANSPORT = "-Wignore:Using `httpx` with `starlette.testclient`"
"""FastAPI's test client warns of httpx, which older SDKs bring."""
pytest.importorskip("fastapi", reason="fastapi is not installed: `make setup` installs the extra `test`")


@pytest.fixture
def example(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(EXAMPLE, pytester.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(pytester.path)
    return pytester.path


def test_passes_with_the_network_off(example: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a test used the network")

    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    pytester.runpytest_inprocess(OLD_TRANSPORT).assert_outcomes(passed=4)


def test_can_be_recorded_again(example: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    with simulator() as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.openai)
        pytester.runpytest_inprocess(OLD_TRANSPORT, "--l0-record=all").assert_outcomes(passed=4)
        assert len(provider.requests) == 5
        pytester.runpytest_inprocess(OLD_TRANSPORT).assert_outcomes(passed=4)
        assert len(provider.requests) == 5
