"""The demo from end to end, with the real SDKs and few calls."""

import io
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import anthropic
import openai
import pytest
from rich.console import Console, RenderableType

import l0
from l0.cli.demo import demo_calls, demo_command, demo_state, details, next_steps, screen
from l0.cli.demo.demo_provider import provider
from l0.cli.demo.demo_state import Demo, DemoOptions
from l0.cli.demo.demo_telemetry import Destination, destination
from l0.cli.demo.judge import AnswerVerdict
from l0.cli.demo.load import Load
from l0.cli.demo.next_steps import Commands
from l0.cli.demo.plan import KnownAnswer, PlannedCall, plan, shipped
from l0.cli.inputs import InputError
from l0.cli.main import main
from l0.model.failure import Cause
from l0.simulator import corpus
from l0.simulator.dialects.chat_server import CHAT
from l0.simulator.dialects.server_dialect import AnswerIdentity, SimulatedRequest
from l0.simulator.faults import Fault
from l0.simulator.simulator_config import SimulatorConfig

CALLS = 80
ROOT = Path(__file__).resolve().parents[3]
COMMANDS = Commands(program="l0", viewer=True, export=True)
LABELS = [make.keywords["label"] for make in (demo_state._BARE, demo_state._DEFAULT, demo_state._AGENT)]
REDRAW = "run `l0 demo --svg docs/images/demo.svg`"


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    """Remove the delays of the simulated model and between retries."""
    agent = replace(l0.Policy.agent(), retry=l0.Retry(base_delay=0.001))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_calls, "DELAYS", None)
        patch.setitem(demo_state._AGENT.keywords, "policy", agent)
        for client in (openai.OpenAI, openai.AsyncOpenAI, anthropic.Anthropic, anthropic.AsyncAnthropic):
            patch.setattr(client, "_calculate_retry_timeout", lambda *_args, **_kwargs: 0.0)
        yield


def drawn(picture: RenderableType) -> str:
    """Return the text of a picture, without spaces at the ends of lines."""
    console = Console(record=True, width=screen.WIDTH, file=io.StringIO())
    console.print(picture)
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


def words_of(image: Path) -> list[str]:
    """Return the words of an SVG image, without frames of tables."""
    texts = re.findall(r"<text[^>]*>(.*?)</text>", image.read_text(encoding="utf-8"))
    return re.sub("[^!-~]+", " ", " ".join(map(unescape, texts)).replace("\xa0", " ")).split()


@pytest.fixture(scope="module")
def finished(_quick: None) -> Demo:
    """Run one demo for all tests that inspect it."""
    prepared, planned = demo_calls.prepare(DemoOptions(calls=CALLS, concurrency=16, seed=3, fault_share=0.5))
    demo_calls.perform(prepared, planned)
    return prepared


def test_demo_bare_sdks_deliver_broken_answers_and_l0_does_not(finished: Demo) -> None:
    bare, default, agent = (run.total.verdicts for run in finished.runs)
    assert bare[AnswerVerdict.SILENT] > 0
    assert default[AnswerVerdict.SILENT] == default[AnswerVerdict.FOREIGN] == 0
    assert agent[AnswerVerdict.SILENT] == agent[AnswerVerdict.FOREIGN] == 0
    assert bare[AnswerVerdict.WHOLE] < default[AnswerVerdict.WHOLE] < agent[AnswerVerdict.WHOLE]


def test_demo_counts_are_consistent(finished: Demo) -> None:
    for run in finished.runs:
        assert run.total.calls == len(run.verdicts) == len(run.requests) == CALLS
        assert run.warm_up.verdicts == {AnswerVerdict.WHOLE: 4}
    for run in (finished.default, finished.agent):
        # The provider and l0 count the same requests independently.
        failures = run.failures.snapshot()
        whole = {number for number, verdict in run.verdicts.items() if verdict is AnswerVerdict.WHOLE}
        assert dict(run.requests) == {number: len(failures[number]) + (number in whole) for number in failures}


def test_demo_figures_depend_on_the_seed_only(finished: Demo) -> None:
    again, planned = demo_calls.prepare(replace(finished.options, calls=16, concurrency=4))
    demo_calls.perform(again, planned)
    for first, second in zip(finished.runs, again.runs, strict=True):
        for number in range(16):
            assert first.verdicts[number] == second.verdicts[number]
            assert first.requests[number] == second.requests[number]


def test_details_count_every_call_that_was_not_whole(finished: Demo) -> None:
    counts = details.count_causes(finished)
    assert set(counts) <= {*Cause, details.UNHARMED}
    for run in finished.runs:
        verdicts = run.total.verdicts
        assert sum(count[f"{run.name} silent"] for count in counts.values()) == verdicts[AnswerVerdict.SILENT]
        assert sum(count[f"{run.name} errors"] for count in counts.values()) == verdicts[AnswerVerdict.ERROR]


def test_details_fit_into_80_columns(finished: Demo) -> None:
    text = drawn(screen.closing(finished, COMMANDS, plain=True, with_details=True))
    assert "Failures by cause" in text
    assert "not_a_stream" in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_demo_leaves_the_sdks_unpatched(finished: Demo) -> None:
    assert not hasattr(openai.OpenAI.request, "__wrapped__")
    assert finished.telemetry.url is None


def test_demo_screen_shows_one_answer_in_three_ways(finished: Demo) -> None:
    bare, default, agent = (run.example for run in finished.runs)
    assert bare is not None
    assert default is not None
    assert agent is not None
    assert bare.content == default.content == "1. Switch the pump off.\n2. Close both valves.\n3. Wait until the"
    assert bare.error is None
    assert isinstance(default.error, l0.StreamInterrupted)
    assert default.error.reason == "truncated"
    assert agent.content == agent.call.answer.content
    text = drawn(screen.opening(finished, plain=True))
    for words in (
        "silent: truncated",
        "(no error)",
        "error: truncated",
        "(StreamInterrupted)",
        "(attempt 2 was whole)",
    ):
        assert words in text


def test_demo_screen_fits_into_a_terminal_of_80_by_24(finished: Demo) -> None:
    text = drawn(screen.picture(finished, COMMANDS))
    assert len(text.splitlines()) <= 23  # the last line is the shell's
    assert max(map(len, text.splitlines())) <= 80
    for run in finished.runs:
        verdicts = run.total.verdicts
        figures = [verdicts[AnswerVerdict.SILENT], verdicts[AnswerVerdict.ERROR], verdicts[AnswerVerdict.WHOLE]]
        figures.append(sum(run.requests.values()))
        assert f"{run.label} {' '.join(map(str, figures))} {run.note}" in re.sub(" +", " ", text)


def test_demo_image_has_the_words_of_the_screen(finished: Demo, tmp_path: Path) -> None:
    """The figures of the image in the README are those of 600 calls; everything else is the same."""
    screen.save_svg(finished, tmp_path / "demo.svg")
    fresh, shown = words_of(tmp_path / "demo.svg"), words_of(ROOT / "docs" / "images" / "demo.svg")
    assert "@font-face" not in (tmp_path / "demo.svg").read_text(encoding="utf-8")
    assert [re.sub(r"\d+", "N", word) for word in shown] == [re.sub(r"\d+", "N", word) for word in fresh], REDRAW
    assert shown[: shown.index("The")] == fresh[: fresh.index("The")], REDRAW  # the answer that is shown


def test_figures_of_the_readme_are_those_of_the_image() -> None:
    text = " ".join(words_of(ROOT / "docs" / "images" / "demo.svg"))
    rows = [re.search(re.escape(label) + r" (\d+) (\d+) (\d+) (\d+) ", text) for label in LABELS]
    figures = [tuple(map(int, row.groups())) for row in rows if row is not None]
    assert [sum(row[:3]) for row in figures] == [600] * 3
    (silent, errors, bare_whole, bare_requests), default, agent = figures
    (_, default_errors, default_whole, _), (*_, agent_whole, agent_requests) = default, agent
    readme = re.sub(r"\s+", " ", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert f"{errors} calls raise an error, and {silent} deliver a broken answer without one" in readme
    assert f"After `l0.instrument()`, {default_errors} calls raise an error" in readme
    assert f"all {agent_whole} answers are complete" in readme
    assert f"| {silent} | {default[0]} | {agent[0]} |" in readme
    assert f"| {bare_whole} | {default_whole} | {agent_whole} |" in readme
    assert f"costs {agent_requests - bare_requests} more requests" in readme


@pytest.mark.skipif("TEST_FULL_DEMO" not in os.environ, reason="takes half a minute: set TEST_FULL_DEMO=1")
def test_figures_of_the_image_are_those_of_the_demo(tmp_path: Path) -> None:
    prepared, planned = demo_calls.prepare(DemoOptions())
    demo_calls.perform(prepared, planned)
    screen.save_svg(prepared, tmp_path / "demo.svg")
    assert words_of(tmp_path / "demo.svg") == words_of(ROOT / "docs" / "images" / "demo.svg"), REDRAW


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
    assert re.search(r"l0\.instrument\(\) +4 +0 +0 ", captured.out)
    assert "wrong: call" in captured.err
    assert "truncated" in captured.err


@pytest.mark.parametrize("plain", [True, False])
def test_demo_commands_are_whole_however_long_the_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], plain: bool
) -> None:
    program = f"/{'folder/' * 12}l0"
    monkeypatch.setattr(next_steps, "_program", lambda: program)
    assert main(["demo", "--calls", "1", "--fault-share", "0", *["--plain"] * plain]) == 0
    assert re.search(rf"^  {program} run .*your_app\.py$", capsys.readouterr().out, re.MULTILINE)


def test_demo_replays_recorded_streams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "openai-chat"
    folder.mkdir()
    body = b"".join(
        CHAT.events(corpus.bundled_answer("poem"), SimulatedRequest(model="m", stream=True), AnswerIdentity.of(0, 0))
    )
    (folder / "one.sse").write_bytes(body)
    assert main(["demo", "--calls", "8", "--traffic", str(tmp_path), "--plain", "--details"]) == 0
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
    class Interruption(Exception):
        pass

    def interrupted(_: object) -> None:
        raise Interruption

    with provider(SimulatorConfig()) as simulator:
        load = Load(simulator=simulator, concurrency=2)
        with pytest.raises(Interruption):
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
