"""The examples that run in a terminal: chat, batch and agent. Their simulated provider breaks, and nobody notices."""

import re

import pytest
from examples_kit import FOLDER, commands, run

from l0.simulator import corpus
from l0.simulator.server import Simulator

GUARDED = [name for name in commands() if "except ImportError" in (FOLDER / name).read_text(encoding="utf-8")]
BOOKED = "Your table at Da Enzo is booked for 20:00."


def test_chat_shows_whole_answers_although_two_requests_fail() -> None:
    ended = run("chat.py", typed="Why does it rain?\nTell me a story.\n")
    assert ended.returncode == 0, ended.stderr
    for answer in ("explain_rain", "story"):
        assert corpus.answers()[answer].text in ended.stdout
    assert "recovered by retry" in ended.stderr
    assert "recovered by resume (exact) at character" in ended.stderr


def test_chat_says_that_an_answer_broke_and_goes_on(sim: Simulator) -> None:
    sim.script("reset at_event=5", "text 'Something else, and enough of it to be compared.'", "ok")
    ended = run("chat.py", "--live", typed="Hello\nAgain\n", OPENAI_API_KEY="k", OPENAI_BASE_URL=sim.openai)
    assert ended.returncode == 0, ended.stderr
    assert " [broken off: " in ended.stdout
    assert corpus.answers()["greeting"].text in ended.stdout


def test_batch_reports_every_prompt() -> None:
    ended = run("batch.py")
    assert ended.returncode == 0, ended.stderr
    counts = {answer: int(count) for count, answer in re.findall(r"^ +(\d+)  (\w[\w: ]*)$", ended.stdout, re.MULTILINE)}
    assert counts == {"neutral": 167, "positive": 166, "negative": 166, "failed: BadRequestError": 1}
    (found,) = re.findall(r"calls      500: \d+ whole, (\d+) recovered, 1 failed", ended.stdout)
    assert int(found) > 50


def test_agent_runs_each_tool_once_although_the_call_of_one_breaks() -> None:
    ended = run("agent.py")
    assert ended.returncode == 0, ended.stderr
    steps = ended.stdout.splitlines()
    assert [step.partition("(")[0] for step in steps] == ["find_tables", "book_table", BOOKED]
    assert "2 recovered" in ended.stderr


@pytest.mark.parametrize(("name", "requests"), [("batch.py", 500), ("agent.py", 1)])
def test_live_calls_the_provider_of_the_environment(name: str, requests: int, sim: Simulator) -> None:
    provider = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": sim.openai}
    provider |= {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": sim.anthropic}
    sim.on("Book a table", reply=f"text '{BOOKED}'")
    ended = run(name, "--live", **provider)
    assert ended.returncode == 0, ended.stderr
    assert len(sim.requests) == requests


@pytest.mark.parametrize("name", GUARDED)
def test_missing_package_is_named_with_the_command_that_installs_it(name: str, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("without")
    for sdk in ("openai", "anthropic"):
        (folder / f"{sdk}.py").write_text(f"raise ImportError(\"No module named '{sdk}'\")")
    ended = run(name, PYTHONPATH=str(folder))
    assert ended.returncode == 1
    assert re.fullmatch(r"No module named '\w+'\. This example needs: pip install '.*'( \w+)*\n", ended.stderr)
