"""The story of a recorded call names each attempt, signal and decision, and the field of the policy that decided."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from recorded_scenarios import (
    BUSY,
    HEALTHY,
    SCENARIOS,
    WHOLE,
    Response,
    Scenario,
    Server,
    arguments,
    played,
    recorded,
    serving,
)

import l0
from l0.cli.explain import story_lines
from l0.cli.main import main
from l0.model.policy import Fallback, Policy, Retry, Timeout
from l0.recording.call_story import StoryEvent, call_story
from l0.recording.decision_rerun import differing
from l0.recording.recording import RecordedCall, RecordedRead, Recording

PAGE = (Path(__file__).parents[2] / "docs" / "recording.md").read_text()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


SILENT = Scenario(
    script=[Response(wait=True)],
    policy=Policy(timeout=Timeout(initial_token=150), retry=Retry(attempts=0, max_retries=0)),
    outcome="failed",
    bodies=[b""],
)
EXHAUSTED = Scenario(
    script=[BUSY, BUSY],
    policy=Policy(retry=Retry(max_retries=1, base_delay=0.01, max_delay=0.01)),
    outcome="failed",
    bodies=[None, None],
)
LEGS = Scenario(
    script=[BUSY] * 5 + [HEALTHY],
    policy=Policy(retry=Retry(max_retries=2, base_delay=0.01, max_delay=0.01), fallback=Fallback(model="other")),
    outcome="recovered_fallback",
    bodies=[None] * 6,
)
STRICT = Scenario(
    script=[Response(parts=HEALTHY.parts[:2])],
    policy=Policy(truncation="strict"),
    outcome="failed",
    bodies=[None],
)
DOUBTED = Scenario(
    script=[Response(parts=HEALTHY.parts[:2])], policy=Policy(truncation="warn"), outcome="ok", bodies=[None]
)
STORIES: dict[str, tuple[Scenario, list[str]]] = {
    "healthy": (SCENARIOS["healthy"], ["complete body after", "ok: the user got 4 items, 13 characters"]),
    "retry": (SCENARIOS["retry"], ["status 503", r"retry in 0.000 s \(the delay of the SDK\) \[max_retries=1\]"]),
    "resume": (
        SCENARIOS["resume"],
        [r"resume the answer after 8 characters in \S+ s \(Retry.strategy=\w+\) \[Policy.resume='exact'\]"],
    ),
    "hedge": (
        SCENARIOS["hedge"],
        [
            r"the attempt is slow \[Policy.hedge=Hedge\(after=400\)\]",
            "send attempt 2 beside it",
            "attempt 2 hedge: POST",
        ],
    ),
    "fallback": (
        SCENARIOS["fallback"],
        [
            r"go on with fallback 1 \(other\), because all retries are used \(Retry.max_retries=0\)",
            r"\[Policy.fallback=\[Fallback\(model='other'\)\]\]",
            r"attempt 2 fallback 1 \(other\): POST",
        ],
    ),
    "guardrail": (SCENARIOS["guardrail"], [r"guardrail_violation: .* \[Policy.guardrails=.*retry in"]),
    "failure": (SCENARIOS["failure"], ["bad_request status 400", "decision raise the error: a retry cannot help end"]),
    "cancel": (SCENARIOS["cancel"], ["the user closed the call", "cancelled: the user got 1 item,"]),
    "whole": (SCENARIOS["whole"], ["not streaming", "the user got 1 item, 7 characters"]),
    "silent": (SILENT, [r"no_headers: no headers within 150 ms .* \[Timeout.initial_token=150 ms\]"]),
    "exhausted": (EXHAUSTED, [r"all retries are used \(Retry.max_retries=1\) \[Retry.max_retries=1\]"]),
    "retries of each leg": (
        LEGS,
        [r"(\[Retry.max_retries=2\].*\[Retry.max_retries=2, this is retry 2\].*){2}", "go on with fallback 1"],
    ),
    "strict": (STRICT, [r"truncated: .* \[Policy.truncation='strict'\]"]),
    "doubted": (DOUBTED, [r"in spite of: truncated \[Policy.truncation='warn'\]"]),
}


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
@pytest.mark.parametrize("name", STORIES)
def test_the_story_of_a_call(server: Server, tmp_path: Path, name: str, sync: bool) -> None:
    scenario, expected = STORIES[name]
    server.script[:] = scenario.script
    _, call = recorded(tmp_path, lambda: played(server.url, scenario, sync))
    assert call.outcome is not None
    assert call.outcome.value == scenario.outcome
    lines = list(story_lines(call))
    text = " ".join(" ".join(re.sub(r"^ +[\d.]+ s ", "", line).split()) for line in lines)
    for part in expected:
        assert re.search(part, text), "\n".join(lines)
    assert max(map(len, lines)) <= 80
    assert [event.at for event in call_story(call)] == sorted(event.at for event in call_story(call))
    assert "differently" not in text
    assert differing(call) == []


def test_explain_prints_the_story_of_a_call_by_id_and_last(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script[:] = SCENARIOS["retry"].script
    _, call = recorded(tmp_path, lambda: played(server.url, SCENARIOS["retry"], True))
    assert main(["explain", "last", str(tmp_path)]) == 0
    last = capsys.readouterr().out
    monkeypatch.setenv("L0_RECORD", str(tmp_path))
    assert main(["explain", call.id[:8]]) == 0
    assert capsys.readouterr().out == last
    assert main(["explain", "zz"]) == 2
    assert "no call found" in capsys.readouterr().err
    monkeypatch.delenv("L0_RECORD")
    assert main(["explain", "last"]) == 2
    assert "L0_RECORD" in capsys.readouterr().err


def test_example_of_the_page_prints_the_story_of_each_call(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script[:] = SCENARIOS["retry"].script
    recorded(tmp_path / "runs", lambda: played(server.url, SCENARIOS["retry"], True))
    example = PAGE.partition("## Read a recording\n\n```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/recording.md", "exec"), {})
    assert "decision retry in 0.000 s" in capsys.readouterr().out


def test_a_call_of_the_explicit_api_has_a_story(tmp_path: Path) -> None:
    def broken() -> Iterator[str]:
        yield from ()
        raise ConnectionError("lost")

    l0.instrument(record=tmp_path)
    try:
        l0.run_sync(broken, fallbacks=[lambda: iter(["two"])], retry=Retry(attempts=0, max_retries=0)).read()
    finally:
        l0.uninstrument()
    texts = [event.text for event in story(tmp_path)]
    assert "a source is called" in texts
    assert any(text.startswith("fallback 1") for text in texts)


def test_a_call_that_a_killed_process_left_has_a_story(server: Server, tmp_path: Path) -> None:
    server.script[:] = [HEALTHY]
    _, call = recorded(tmp_path, lambda: played(server.url, SCENARIOS["healthy"], True))
    changes: dict[str, Any] = {"outcome": None, "duration_s": None, "delivered_items": 0}
    with Recording.open(tmp_path) as recording:
        cut = RecordedCall(**{**vars(recording.call(call.id)), **changes})
        assert call_story(cut)[-1].text == "the recording ends before the call"


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ([0.1, 0.2, 3.3, 5.0, 30.0], ["0.2 attempt 1 longest gap: 3.10 s without content after 2 tokens"]),
        ([2.0, 3.5, 4.6, 4.7, 4.8], ["2.0 attempt 1 longest gap: 1.50 s without content after 1 token"]),
        ([9.0, 9.1, 9.2, 30.0, 60.0], []),  # the first token, and the end without content, are no gaps
        ([0.1, 1.0, 1.9, 2.0, 2.1], []),
    ],
)
def test_longest_gap_of_an_answer_is_told(server: Server, tmp_path: Path, times: list[float], told: list[str]) -> None:
    server.script[:] = [HEALTHY]
    _, call = recorded(tmp_path, lambda: played(server.url, SCENARIOS["healthy"], True))
    reads = [RecordedRead(at=at, data=part) for at, part in zip(times, HEALTHY.parts, strict=True)]
    with Recording.open(tmp_path) as recording:
        slow = recording.call(call.id)
        vars(slow)["attempts"] = [replace(attempt, reads=reads) for attempt in slow.attempts]
        gaps = [event for event in call_story(slow) if "gap" in event.text]
    assert [f"{event.at} {event.subject} {event.text}" for event in gaps] == told


def test_slow_program_is_told_and_is_no_gap_of_the_provider(server: Server, tmp_path: Path) -> None:
    server.script[:] = [HEALTHY]
    _, call = recorded(tmp_path, lambda: played(server.url, SCENARIOS["healthy"], True))
    times = [(0.0, 0.1), (2.1, 2.2), (5.2, 5.3), (5.3005, 9.0), (9.0, 9.1)]  # 2 s and 3 s in the program
    reads = [
        RecordedRead(at=at, data=part, began=began) for (began, at), part in zip(times, HEALTHY.parts, strict=True)
    ]
    with Recording.open(tmp_path) as recording:
        slow = recording.call(call.id)
        vars(slow)["attempts"] = [replace(attempt, head_at=0.0, reads=reads) for attempt in slow.attempts]
        told = [f"{event.at} {event.text}" for event in call_story(slow) if " s " in event.text]
    assert "9.1 5.00 s of this passed in your program between reads, not at the provider" in told
    assert [text for text in told if "gap" in text] == []


def story(folder: Path) -> list[StoryEvent]:
    with Recording.open(folder) as recording:
        return call_story(recording.call("last"))


def test_answer_that_the_user_reads_has_its_characters_in_the_story(server: Server, tmp_path: Path) -> None:
    def read() -> list[Any]:
        with (
            openai.OpenAI(api_key="x", base_url=server.url) as client,
            client.chat.completions.with_streaming_response.create(**arguments(stream=False)) as response,
        ):
            return [response.parse()]

    server.script[:] = [Response(parts=[WHOLE])]
    _, call = recorded(tmp_path, read)
    assert call_story(call)[-1].text == "ok: the user got 1 item, 7 characters"
