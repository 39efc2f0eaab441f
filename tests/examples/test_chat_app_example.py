"""The chat application: its tests pass without a provider and can be recorded again, and its server heals answers."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from examples_kit import FOLDER, HANGS, environment, run, serving
from installed import httpx

from l0.simulator import corpus
from l0.testing import simulator

pytest.importorskip("fastapi", reason="fastapi is not installed: `make setup` installs the extra `test`")
TESTS = "chat_app/test_chat_app.py"
NOBODY_LISTENS = "http://127.0.0.1:9/v1"


def test_tests_pass_without_a_provider() -> None:
    ended = run(TESTS, "-q", OPENAI_BASE_URL=NOBODY_LISTENS)
    assert re.search(r"^4 passed", ended.stdout, re.MULTILINE), ended.stdout


def test_tests_can_be_recorded_again(tmp_path: Path) -> None:
    copy = shutil.copytree(FOLDER / "chat_app", tmp_path / "chat_app", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(copy / "cassettes")
    for options, provided, sent in (["--l0-record=once"], True, 5), ([], False, 0):
        with simulator() as provider:
            ended = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", *options, copy],
                env=environment(OPENAI_BASE_URL=provider.openai if provided else NOBODY_LISTENS),
                capture_output=True,
                text=True,
                timeout=HANGS,
                check=False,
            )
            assert re.search(r"^4 passed", ended.stdout, re.MULTILINE), ended.stdout
            # A request whose answer broke is sent twice.
            assert len({json.dumps(request.body) for request in provider.requests}) == sent


def test_server_answers_whole_although_two_requests_fail() -> None:
    with serving("chat_app/chat_app.py") as url, httpx.Client(base_url=url, timeout=HANGS) as web:
        assert "<title>Chat</title>" in web.get("/").text
        for question, answer in ("Why does it rain?", "explain_rain"), ("Tell me a story.", "story"):
            events = web.post("/chats/one", json={"text": question}).text
            pieces = [json.loads(piece) for piece in re.findall(r"^event: piece\ndata: (.*)$", events, re.MULTILINE)]
            assert "".join(pieces) == corpus.answers()[answer].text
            assert events.endswith("event: done\ndata: null\n\n")
