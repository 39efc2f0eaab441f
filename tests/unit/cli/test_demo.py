"""The demo from end to end, with the real SDKs and few calls."""

import io
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anthropic
import openai
import pytest
from rich.console import Console

from l0.cli.demo import demo_calls, demo_command, screen
from l0.cli.demo.demo_provider import provider
from l0.cli.demo.demo_state import Demo, DemoOptions
from l0.cli.demo.demo_telemetry import Destination, destination
from l0.cli.demo.judge import AnswerVerdict
from l0.cli.demo.load import Load
from l0.cli.demo.plan import KnownAnswer, PlannedCall, plan, shipped
from l0.cli.inputs import InputError
from l0.cli.main import main
from l0.simulator import corpus
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest
from l0.simulator.faults import Fault
from l0.simulator.simulator_config import SimulatorConfig

CALLS = 80


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    """Remove the delays of the simulated model and between retries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_calls, "DELAYS", None)
        for client in (openai.OpenAI, openai.AsyncOpenAI, anthropic.Anthropic, anthropic.AsyncAnthropic):
            patch.setattr(client, "_calculate_retry_timeout", lambda *_args, **_kwargs: 0.0)
        yield


@pytest.fixture(scope="module")
def finished(_quick: None) -> Demo:
    """Run one demo for all tests that inspect it."""
    prepared, planned = demo_calls.prepare(DemoOptions(calls=CALLS, concurrency=16, seed=3, fault_share=0.5))
    demo_calls.perform(prepared, planned)
    return prepared


def test_demo_bare_sdks_deliver_broken_answers_and_l0_does_not(finished: Demo) -> None:
    bare, covered = finished.bare.total.verdicts, finished.covered.total.verdicts
    assert bare[AnswerVerdict.SILENT] > 0
    assert covered[AnswerVerdict.SILENT] == covered[AnswerVerdict.FOREIGN] == 0
    assert covered[AnswerVerdict.WHOLE] > bare[AnswerVerdict.WHOLE]


def test_demo_counts_are_consistent(finished: Demo) -> None:
    covered = finished.covered
    assert finished.bare.total.calls == CALLS
    assert covered.total.verdicts[AnswerVerdict.WHOLE] + covered.total.verdicts[AnswerVerdict.ERROR] == CALLS
    assert covered.warm_up.verdicts == {AnswerVerdict.WHOLE: 4}
    attempts, failed, retried = finished.attempts.snapshot()
    # The provider and l0 count the same requests independently.
    assert attempts == dict(covered.requests)
    for sdk in ("openai", "anthropic"):
        assert attempts[sdk] == covered.of(sdk).calls + retried[sdk].total()
        assert failed[sdk].total() == retried[sdk].total() + covered.of(sdk).verdicts[AnswerVerdict.ERROR]


def test_demo_leaves_the_sdks_unpatched(finished: Demo) -> None:
    assert not hasattr(openai.OpenAI.request, "__wrapped__")
    assert finished.telemetry.url is None


def test_demo_screen_shows_the_comparison(finished: Demo, tmp_path: Path) -> None:
    console = Console(record=True, width=screen.WIDTH, file=io.StringIO())
    console.print(screen.picture(finished, plain=True))
    text = console.export_text()
    silent = finished.bare.total.verdicts[AnswerVerdict.SILENT]
    assert f"Bare: {silent} broken answers delivered without an error" in text
    assert "With l0.instrument(): 0 broken answers delivered without an error" in text
    assert max(map(len, text.splitlines())) <= screen.WIDTH
    screen.save_svg(finished, tmp_path / "demo.svg")
    picture = (tmp_path / "demo.svg").read_text(encoding="utf-8")
    assert picture.startswith("<svg")
    assert "@font-face" not in picture


def test_demo_exit_code_for_a_broken_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {
        api: [replace(one, content=one.content + "!") for one in some]
        for api, some in shipped(corpus.answers()).items()
    }
    monkeypatch.setattr(demo_calls, "shipped", lambda _: answers)
    assert main(["demo", "--calls", "4", "--fault-share", "0", "--plain"]) == 1
    captured = capsys.readouterr()
    assert "With l0.instrument(): 4 broken answers delivered without an error" in captured.out
    assert "wrong: call" in captured.err
    assert "truncated" in captured.err


def test_demo_replays_recorded_streams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "openai-chat"
    folder.mkdir()
    body = b"".join(
        CHAT.events(corpus.bundled_answer("poem"), SimulatedRequest(model="m", stream=True), AnswerIdentity.of(0, 0))
    )
    (folder / "one.sse").write_bytes(body)
    assert main(["demo", "--calls", "8", "--traffic", str(tmp_path), "--plain"]) == 0
    assert "1 recorded streams" in capsys.readouterr().out


def test_demo_call_succeeds_after_its_faults() -> None:
    call = PlannedCall(
        number=1,
        api="chat",
        concurrent="threads",
        answer=KnownAnswer(name="answer short", content="Yes."),
        faults=(Fault.status(503, {"retry-after-ms": "1"}), Fault.status(429, {"retry-after-ms": "1"})),
    )
    with provider(SimulatorConfig()) as simulator:
        load = Load(simulator=simulator, concurrency=2)
        (first,) = load.one_by_one("first", [call])
        (second,) = load.one_by_one("second", [replace(call, faults=(Fault.empty(),))])
        answered = [request.answered for request in simulator.requests]
    assert (first.content, first.error) == ("Yes.", None)
    assert (second.content, second.error) == ("", None)  # the bare SDK delivers an empty answer without an error
    assert answered == ["status 503 retry-after-ms=1", "status 429 retry-after-ms=1", "ok", "empty"]


def test_interrupted_load_does_not_start_more_calls() -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with provider(SimulatorConfig()) as simulator:
        load = Load(simulator=simulator, concurrency=2)
        with pytest.raises(KeyboardInterrupt):
            load.run("x", plan(500, 0, 0.0, shipped(corpus.answers())), interrupted)
        assert len(simulator.requests) < 100


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--calls", "0"], ["--calls", "got 0", "1 to"]),
        (["--concurrency", "1"], ["--concurrency", "got 1", "2 to"]),
        (["--fault-share", "1.5"], ["--fault-share", "got 1.5", "0 to 1"]),
        (["--fault-share", "nan"], ["--fault-share", "got nan", "0 to 1"]),
        (["--otlp", "collector:4318"], ["--otlp", "collector:4318", "http://localhost:4318"]),
        (["--otlp", "http://"], ["--otlp", "http://localhost:4318"]),
        (["--otlp", "http://h:port"], ["--otlp", "http://localhost:4318"]),
        (["--traffic", "no/such/folder"], ["--traffic", "no/such/folder"]),
        (["--svg", "no/such/folder/demo.svg"], ["--svg", "no/such/folder"]),
    ],
)
def test_demo_input_error_names_the_option(
    arguments: list[str], names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("l0 demo: ")
    assert all(name in error for name in names)


def test_demo_rejects_an_invalid_traffic_folder(tmp_path: Path) -> None:
    folder = tmp_path / "responses"
    folder.mkdir()
    (folder / "one.sse").write_text('data: ["no event"]\n\n')
    with pytest.raises(InputError, match="--traffic: one is not a recorded responses stream"):
        demo_calls.prepare(DemoOptions(traffic=tmp_path))


def test_demo_warns_once_without_a_collector(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    assert main(["demo", "--calls", "4", "--otlp", url]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("no collector listens") == 1
    assert "Telemetry: not exported: no collector listens" in re.sub(r"\s+", " ", captured.out)


def test_demo_uses_a_reachable_collector() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert destination(url) == Destination(url=url)


def test_demo_without_rich_names_the_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(demo_command, "find_spec", lambda _: None)
    assert main(["demo"]) == 2
    assert "pip install 'l0-otel[cli]'" in capsys.readouterr().err
