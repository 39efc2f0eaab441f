"""Calls that others trace are listed with model, tokens and outcome, without any attribute of l0."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from viewer_client import HANGS, ViewerClient, running_viewer

from l0.simulator.server import Simulator

SENDERS = ("genai", "openinference", "traceloop", "logfire")
SCRIPT = Path(__file__).with_name("send_spans.py")


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[ViewerClient]:
    with running_viewer(tmp_path / "view.db") as running:
        yield running


@pytest.mark.parametrize("sender", SENDERS)
def test_calls_are_listed(sim: Simulator, viewer: ViewerClient, sender: str) -> None:
    without_settings = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "L0_"))}
    sent = subprocess.run(
        [sys.executable, str(SCRIPT), sender, sim.openai, viewer.origin],
        env=without_settings,
        capture_output=True,
        text=True,
        timeout=HANGS * 2,
        check=False,
    )
    assert sent.returncode == 0, sent.stderr
    failed, answered = viewer.get("/api/calls")["calls"]
    assert {(call["provider"], call["model"], call["service"], call["attempts"]) for call in (failed, answered)} == {
        ("openai", "gpt-4o", "sender", 1)
    }
    assert (answered["outcome"], answered["error_type"]) == ("ok", None)
    assert answered["operation"] == (None if sender == "openinference" else "chat")  # it has no such attribute
    assert answered["input_tokens"] > 0
    assert answered["output_tokens"] > 0
    assert failed["outcome"] == "failed"
    detail = viewer.get(f"/api/calls/{answered['trace_id']}/{answered['span_id']}")
    assert not [name for name in detail["attributes"] if name.startswith("l0.")]
