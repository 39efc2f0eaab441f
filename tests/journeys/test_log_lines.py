"""Golden texts of what broke, what recovered it, and what nothing could: on logger ``l0`` and on the console."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import openai
import pytest
from journeys_kit import CHATTING
from makers import Clock

import l0
from l0 import Fallback, Guardrails, Hedge, Policy, Retry, Timeout
from l0.config import CONFIG
from l0.runtime.finalizers import LATER
from l0.shared_state import breaker
from l0.shared_state.budget import Budget
from l0.shared_state.shared import SharedState
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault as F
from l0.simulator.ledger import Reply
from l0.simulator.server import Simulator
from l0.telemetry.call_log import CALL_LOG
from l0.telemetry.log_rate_limiter import LogRateLimiter

LOG = Path(__file__).with_name("log_lines.txt")
CONSOLE = Path(__file__).with_name("console_lines.txt")
_TIMES = re.compile(r" *\d+\.\d+ s\b")
_CLOCK = re.compile(r"^\d\d:\d\d:\d\d", re.MULTILINE)
_ORIGIN = re.compile(r"http://127\.0\.0\.1:\d+")
_TRANSPORT = re.compile(r" \((Remote\w+|Read\w+|Connect\w+|Incomplete\w+)\)")
"""The classes of transports differ between their versions."""
_REQUEST_ID = re.compile(r"\breq_\w+")
NOW, ONCE, NEVER = Retry(base_delay=0), Retry(base_delay=0, max_retries=1), Retry(max_retries=0)
STRICT = Policy(truncation="strict", retry=NOW)
WORDS = "The tide forgets the names we wrote, the gulls forget the shore."
SLOW = 3_000
"""Milliseconds that a healthy attempt does not take."""
pytestmark = pytest.mark.usefixtures("clock")


def quoting(text: str) -> str | None:
    return f"it says {text}" if "gulls" in text else None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The server's script and the policy. ``pauses``: seconds before each call, on the breakers' clock.
    ``leave``: the user stops after the first item. ``on``: l0 is instrumented."""

    script: tuple[Any, ...]
    policy: Policy = field(default_factory=Policy)
    stream: bool = True
    leave: bool = False
    pauses: tuple[float, ...] = (0,)
    on: bool = True
    level: int = logging.INFO


SCENARIOS = {
    "healthy": Scenario(
        script=(Answer(text=WORDS),),
    ),
    "restart before content": Scenario(
        script=(F.cut(at_event=1),),
    ),
    "retry of a status": Scenario(
        script=(F.status(503), F.status(503)),
        stream=False,
    ),
    "retry of a status, every attempt": Scenario(
        script=(F.status(503),),
        level=logging.DEBUG,
    ),
    "resume": Scenario(
        script=(Reply(answer=Answer(text=WORDS), fault=F.cut(at_event=5)), Answer(text=WORDS)),
        policy=replace(STRICT, resume="exact"),
        level=logging.DEBUG,
    ),
    "broken after content": Scenario(
        script=(Reply(answer=Answer(text=WORDS), fault=F.cut(at_event=5)),),
    ),
    "fallback": Scenario(
        script=(F.status(503),),
        policy=Policy(retry=NEVER, fallback=Fallback(model="gpt-4o-mini")),
        level=logging.DEBUG,
    ),
    "hedge won": Scenario(
        script=(F.no_headers(3600),),
        policy=Policy(hedge=Hedge(after=400), retry=NOW),
    ),
    "failure that is not retried": Scenario(
        script=(F.status(401),),
    ),
    "failure of every attempt": Scenario(
        script=(F.status(503),) * 3,
        stream=False,
    ),
    "failure of another kind at last": Scenario(
        script=(F.status(503), F.status(404)),
        stream=False,
    ),
    "breaker": Scenario(
        script=(F.status(503), F.status(503), None),
        policy=Policy(retry=NEVER, breaker=True),
        pauses=(0, 1, 1, 31),
    ),
    "breaker, and a fallback": Scenario(
        script=(F.status(503), None, F.status(503), None, None),
        policy=Policy(retry=NEVER, breaker=True, fallback=Fallback(model="gpt-4o-mini")),
        pauses=(0, 1, 1),
    ),
    "retry refused by the budget": Scenario(
        script=(F.status(503),),
        policy=Policy(retry=NOW, budget=True),
    ),
    "retry refused by the budget, and a fallback": Scenario(
        script=(F.status(503),),
        policy=Policy(retry=NOW, budget=True, fallback=Fallback(model="gpt-4o-mini")),
    ),
    "rule, recorded": Scenario(
        script=(Answer(text=WORDS),),
        policy=Policy(guardrails=Guardrails.pattern_rule(["gulls"], "it is about birds", severity="warning")),
    ),
    "rule, failed": Scenario(
        script=(Answer(text=WORDS), Answer(text="Fine.")),
        policy=Policy(guardrails=Guardrails.pattern_rule(["gulls"], "it is about birds"), hold="message", retry=NOW),
    ),
    "rule, halted": Scenario(
        script=(Answer(text=WORDS),),
        policy=Policy(guardrails=Guardrails.pattern_rule(["gulls"], "it is about birds", severity="fatal")),
    ),
    "rule that quotes": Scenario(
        script=(Answer(text=WORDS),),
        policy=Policy(guardrails=Guardrails.rule(quoting, severity="warning")),
    ),
    "stalled": Scenario(
        script=(Reply(answer=Answer(text=WORDS), fault=F.stall(at_event=5)),),
        policy=Policy(timeout=Timeout(initial_token=None, inter_token=100)),
    ),
    "no content in time": Scenario(
        script=(F.stall(at_event=0), Answer(text=WORDS)),
        policy=Policy(timeout=Timeout(initial_token=SLOW, inter_token=None), retry=NOW),
    ),
    "truncated": Scenario(
        script=(Reply(answer=Answer(text=WORDS), fault=F.clean_end(at_event=5)),),
        policy=STRICT,
    ),
    "truncated, but accepted": Scenario(
        script=(Reply(answer=Answer(text=WORDS), fault=F.clean_end(at_event=5)),),
        policy=Policy(truncation="warn"),
    ),
    "error in the stream": Scenario(
        script=(Reply(answer=Answer(text=WORDS), fault=F.in_band_error(at_event=5)),),
    ),
    "whole answer that is none": Scenario(
        script=(F.html(),),
        stream=False,
    ),
    "cancelled": Scenario(
        script=(F.cut(at_event=1), Answer(text=WORDS)),
        leave=True,
    ),
    "uninstrumented": Scenario(
        script=(F.status(503),) * 3,
        on=False,
        level=logging.DEBUG,
    ),
    "shadow": Scenario(
        script=(F.status(503),) * 3,
        policy=Policy(mode="shadow", retry=ONCE),
        level=logging.DEBUG,
    ),
}


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A process that has made no call, and logged nothing. Breakers trip after two failures; budgets are empty."""
    clock = Clock()
    made = breaker.Breaker
    monkeypatch.setattr(breaker, "Breaker", lambda *args, **more: made(*args, **more, samples=2))
    shared_state = SharedState()
    shared_state.breakers = breaker.Breakers(clock)
    monkeypatch.setattr(Budget, "renew", emptied(Budget.renew))
    monkeypatch.setattr(CONFIG, "shared_state", shared_state)
    monkeypatch.setattr(CALL_LOG, "_rate_limiter", LogRateLimiter())
    return clock


def emptied(renew: Callable[[Budget], None]) -> Callable[[Budget], None]:
    def empty(budget: Budget) -> None:
        renew(budget)
        budget._tokens = 0

    return empty


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    own = logging.Filter("l0")
    caplog.handler.addFilter(own)
    caplog.set_level(logging.DEBUG, "l0")
    yield caplog
    caplog.handler.removeFilter(own)  # the handler lives as long as the session


@pytest.fixture(scope="module")
def client(running: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=running.openai) as made:
        yield made


@pytest.fixture(scope="module")
def async_client(running: Simulator, loop: asyncio.AbstractEventLoop) -> Iterator[openai.AsyncOpenAI]:
    made = openai.AsyncOpenAI(api_key="k", base_url=running.openai)
    yield made
    loop.run_until_complete(made.close())


def play(client: openai.OpenAI, scenario: Scenario, time: Clock) -> None:
    """Make the calls. Other tests check what they raise."""
    for pause in scenario.pauses:
        time.now += pause
        with suppress(openai.APIError):
            answer: Any = client.chat.completions.create(**CHATTING, stream=scenario.stream)
            for _ in answer if scenario.stream else ():
                if scenario.leave:
                    answer.close()
                    break


async def play_async(client: openai.AsyncOpenAI, scenario: Scenario, time: Clock) -> None:
    for pause in scenario.pauses:
        time.now += pause
        with suppress(openai.APIError):
            answer: Any = await client.chat.completions.create(**CHATTING, stream=scenario.stream)
            if not scenario.stream:
                continue
            async for _ in answer:
                if scenario.leave:
                    await answer.close()
                    break


def steady(text: str) -> str:
    """Return the text without what differs between runs."""
    return _REQUEST_ID.sub("ID", _ORIGIN.sub("ORIGIN", _TRANSPORT.sub("", _TIMES.sub(" N s", text))))


def lines(log: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines of the log."""
    LATER.finish()
    return [steady(f"{record.levelname} {record.getMessage()}") for record in log.records]


def golden(file: Path) -> dict[str, list[str]]:
    """Return the expected lines of every scenario."""
    found: dict[str, list[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            found[line.strip("[]")] = []
        elif line:
            found[list(found)[-1]].append(line)
    return found


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_log_lines(
    sim: Simulator,
    client: openai.OpenAI,
    async_client: openai.AsyncOpenAI,
    loop: asyncio.AbstractEventLoop,
    log: pytest.LogCaptureFixture,
    time: Clock,
    name: str,
    sync: bool,
) -> None:
    scenario = SCENARIOS[name]
    log.set_level(scenario.level, "l0")
    if scenario.on:
        l0.instrument(scenario.policy)
    sim.script(*scenario.script)
    if sync:
        play(client, scenario, time)
    else:
        loop.run_until_complete(play_async(async_client, scenario, time))
    assert lines(log) == golden(LOG)[name]


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_console_lines(
    sim: Simulator,
    client: openai.OpenAI,
    async_client: openai.AsyncOpenAI,
    loop: asyncio.AbstractEventLoop,
    time: Clock,
    capsys: pytest.CaptureFixture[str],
    name: str,
    sync: bool,
) -> None:
    scenario = SCENARIOS[name]
    if scenario.on:
        l0.instrument(scenario.policy, console=True)
    sim.script(*scenario.script)
    if sync:
        play(client, scenario, time)
    else:
        loop.run_until_complete(play_async(async_client, scenario, time))
    LATER.finish()
    written = capsys.readouterr().err
    assert steady(_CLOCK.sub("CLOCK", written)).splitlines() == golden(CONSOLE)[name]


@pytest.mark.parametrize("file", [LOG, CONSOLE], ids=lambda file: file.stem)
def test_golden_file_has_no_other_scenarios(file: Path) -> None:
    assert list(golden(file)) == list(SCENARIOS)
