"""Pages of the documentation are true: their code runs as it stands, and their figures are the measured ones."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import pytest
from benchmarks.report import ratio
from installed import httpx
from runnable_pages import ROOT, python_blocks, run_page, run_python, run_source

from l0.testing import simulator

DOCS = ROOT / "docs"
OVERVIEW = (DOCS / "overview.md").read_text(encoding="utf-8")


def test_code_of_the_overview_runs() -> None:
    with simulator() as sim:
        done = run_python(OVERVIEW, sim)
        assert done.returncode == 0, done.stderr
        assert "simulated model" in done.stdout
        assert len(sim.requests) == 5


def test_a_broken_stream_ends_in_the_exception_that_is_shown() -> None:
    shown = next(block for block in python_blocks(OVERVIEW) if "StreamInterrupted" in block)
    source = f"import l0, openai\nl0.instrument(l0.Policy(truncation='strict'))\nclient = openai.OpenAI()\n{shown}"
    with simulator() as sim:
        sim.script("clean_end at_event=5")
        done = run_source(source, sim)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("truncated 1 Hello")


def test_the_rule_finds_a_secret() -> None:
    (block,) = [block for block in python_blocks(OVERVIEW) if "pattern_rule" in block]
    made: dict[str, Any] = {}
    exec(block.partition("with ")[0], made)
    found = made["secrets"].check().feed("It is sk-0123456789abcdef, so keep it. " * 5)
    assert [(violation.message, violation.at) for violation in found] == [("the answer contains a secret", 6)]


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("tutorial", 13),
        ("tasks", 14),
        ("errors", 2),
        ("web", 3),
        ("flask", 1),
        ("django", 4),
        ("testing", 4),
        ("choose_policy", 3),
    ],
    ids=lambda given: given,
)
def test_blocks_of_a_guide_run_in_order(name: str, commands: int, tmp_path: Path) -> None:
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    with simulator() as sim:
        provider = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": sim.openai}
        provider |= {"ANTHROPIC_API_KEY": "none", "ANTHROPIC_BASE_URL": sim.anthropic}
        assert run_page(page, tmp_path, provider) == commands


@pytest.mark.parametrize("name", ["console", "fleet", "rules", "slo", "telemetry", "viewer"])
def test_code_of_the_page_runs(name: str) -> None:
    with simulator() as sim:
        done = run_python((DOCS / f"{name}.md").read_text(encoding="utf-8"), sim)
    assert done.returncode == 0, done.stderr


CALL = """
import l0, openai
l0.instrument(record="runs/")
openai.OpenAI().chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
"""


@pytest.mark.parametrize("name", ["recording", "backtest"])
def test_code_of_the_page_reads_a_recording(name: str, tmp_path: Path) -> None:
    blocks = [block for block in python_blocks((DOCS / f"{name}.md").read_text(encoding="utf-8")) if "ray" not in block]
    with simulator() as sim:
        for source in (CALL, *blocks):
            done = run_source(source, sim, tmp_path)
            assert done.returncode == 0, done.stderr


def test_cassettes_of_the_page_are_recorded_and_played(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("\n".join(python_blocks((DOCS / "cassettes.md").read_text(encoding="utf-8"))))
    with simulator() as sim, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", sim.openai)
        patch.setenv("OPENAI_API_KEY", "none")
        for option in ("--l0-record=once", "--l0-record=none"):
            done = pytester.runpytest_subprocess(option)
            done.assert_outcomes(passed=1)
        assert len(sim.requests) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")
@pytest.mark.parametrize(
    ("name", "server"),
    [
        ("web", "uvicorn --port 0 chat:app"),
        ("flask", "gunicorn --bind 127.0.0.1:0 --worker-class gthread --threads 4 --preload chat:app"),
        ("django", "uvicorn --port 0 web.asgi:application"),
    ],
    ids=["fastapi", "flask", "django"],
)
def test_web_application_ends_its_request_when_the_browser_leaves(tmp_path: Path, name: str, server: str) -> None:
    application, _, _ = (DOCS / f"{name}.md").read_text(encoding="utf-8").partition("Test it with")
    with simulator() as sim:
        provider = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": sim.openai}
        run_page(application, tmp_path, provider)
        running = subprocess.Popen(
            [sys.executable, "-m", *server.split()],
            cwd=tmp_path,
            env={**os.environ, **provider, "L0_CONSOLE": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        with running:
            assert running.stderr is not None
            (url,) = next(found for line in running.stderr if (found := re.findall(r"http://[\w.:]+", line)))
            question = {"text": "Hello [[simulate: tokens 100000 | slow-drip]]"}  # longer than any test waits
            with httpx.stream("POST", f"{url}/chat", json=question, timeout=60) as response:
                assert next(response.iter_lines()).startswith("data: ")
            assert sim.wait_idle(timeout=60)
            running.send_signal(signal.SIGINT)
            told = running.stderr.read()
    assert "cancelled" in told


HELD = """
import asyncio
from django.utils.decorators import async_only_middleware

held = []

@async_only_middleware
def middleware(get_response):
    async def hold(request):
        held.append(await get_response(request))
        await asyncio.Event().wait()
    return hold
"""
LEAVING = """
import asyncio, json, os
from l0.testing import simulator

async def main(sim):
    question = json.dumps({"text": "[[simulate: tokens 100000 | slow-drip]]"}).encode()
    received = [{"type": "http.request", "body": question}]

    async def receive():
        if received:
            return received.pop()
        while not has_left():
            await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message):
        await asyncio.sleep(0)  # a server may suspend here

    headers = [(b"content-type", b"application/json"), (b"host", b"localhost")]
    scope = {"type": "http", "method": "POST", "path": "/chat", "headers": headers, "query_string": b""}
    await application(scope, receive, send)
    assert await asyncio.to_thread(sim.wait_idle, 60)
    await close()
    print("requests:", len(sim.requests))

with simulator() as sim:
    os.environ["OPENAI_BASE_URL"] = sim.openai
    asyncio.run(main(sim))
"""
OF_DJANGO = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "web.settings"
from django.conf import settings
settings.MIDDLEWARE = [*settings.MIDDLEWARE, "held.middleware"]
import held
from web.asgi import application
from chat import views

def has_left():
    return held.held

async def close():
    await views.client().close()
"""
OF_FASTAPI = """
import chat
held, events = [], chat.events
chat.events = lambda stream: held.append(stream) or events(stream)

def has_left():
    return True

async def close():
    pass

async def application(*given):
    global close
    context = chat.lifespan(chat.app)
    await context.__aenter__()
    close = lambda: context.__aexit__(None, None, None)
    await chat.app(*given)
"""


@pytest.mark.parametrize(("name", "setting"), [("django", OF_DJANGO), ("web", OF_FASTAPI)], ids=["django", "fastapi"])
def test_web_application_closes_a_stream_whose_response_never_starts(tmp_path: Path, name: str, setting: str) -> None:
    """The program keeps the response or the stream, so that not the garbage collector closes it."""
    application, _, _ = (DOCS / f"{name}.md").read_text(encoding="utf-8").partition("Test it with")
    (tmp_path / "held.py").write_text(HELD, encoding="utf-8")
    with simulator() as sim:
        run_page(application, tmp_path, {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": sim.openai})
        done = run_source(setting + LEAVING, sim, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "requests: 1\n"


@pytest.mark.parametrize("reason", ["the browser has left", "the server cancels"])
def test_stream_that_opens_in_the_step_in_which_its_request_ends_is_closed(reason: str) -> None:
    page: dict[str, Any] = {}
    exec(next(block for block in python_blocks((DOCS / "web.md").read_text()) if "def unless_gone" in block), page)
    closed, messages = [], asyncio.Queue()

    async def opening(endpoint: asyncio.Task[Any]) -> Any:
        await asyncio.sleep(0)  # the endpoint waits
        if reason == "the server cancels":
            endpoint.cancel()
        else:
            messages.put_nowait({"type": "http.disconnect"})
        return SimpleNamespace(close=close)

    async def close() -> None:
        await asyncio.sleep(0)
        closed.append(reason)

    async def endpoint() -> None:
        task = asyncio.current_task()
        assert task is not None
        await page["unless_gone"](SimpleNamespace(receive=messages.get), opening(task))

    expected = asyncio.CancelledError if reason == "the server cancels" else page["HTTPException"]
    with pytest.raises(expected):
        asyncio.run(endpoint())
    assert closed == [reason]


def _ratio(case: dict[str, Any], variant: str) -> float:
    """Relative to the bare SDK, as docs/benchmarks.md shows it."""
    found = ratio(case, variant)
    assert found is not None
    return found.median


def _range(ratios: dict[str, float], *apis: str) -> tuple[float, float]:
    """The lowest and the highest ratio of these APIs, in hundredths."""
    found = [round(ratio, 2) for name, ratio in ratios.items() if name.startswith(apis)]
    return min(found), max(found)


def _cost(cases: list[dict[str, Any]], name: str, variant: str) -> float:
    """Microseconds of CPU."""
    return next(median(map(float, case["variants"][variant]["cost"])) for case in cases if case["name"] == name)


def test_the_figures_are_the_measured_ones():
    cases = json.loads((ROOT / "benchmarks/results/reference.json").read_text())["cases"]
    ratios = {case["name"]: _ratio(case, "l0") for case in cases if "l0" in case["variants"]}
    streams = {name: ratio for name, ratio in ratios.items() if name.endswith("25 x 200")}
    assert _range(streams, "chat", "responses") == (0.13, 0.15)
    assert _range(streams, "messages") == (0.38, 0.38)
    long_streams = {name: ratio for name, ratio in ratios.items() if name.endswith("1 x 5,000")}
    assert _range(long_streams, "chat", "responses") == (0.06, 0.07)
    assert _range(long_streams, "messages") == (0.2, 0.21)
    helpers = {name: ratio for name, ratio in ratios.items() if name.endswith("helper")}
    assert _range(helpers, "chat", "responses") == (0.38, 0.51)
    assert _range(helpers, "messages") == (0.63, 0.67)
    assert [round(ratios[name], 2) for name in ("200 at once x 100", "1,000 at once x 20")] == [0.23, 0.7]
    whole = {name: ratio for name, ratio in ratios.items() if name.endswith("whole")}
    assert _range(whole, "chat", "responses") == (0.89, 0.96)
    assert _range(whole, "messages") == (1.11, 1.13)
    talks = [ratio for name, ratio in ratios.items() if "50 turns" in name and not name.startswith("messages")]
    assert round(1 / max(talks)) == 7
    added = [_cost(cases, "chat sync, 50 turns", who) - _cost(cases, "chat sync whole", who) for who in ("bare", "l0")]
    assert round(added[0] / 1e3) == 8
    assert added[1] / 1e3 < 0.1
    of_opentelemetry = [_cost(cases, name, "l0") - _cost(cases, name, "l0-silent") for name in whole]
    assert [round(cost / 1e3, 1) for cost in (min(of_opentelemetry), max(of_opentelemetry))] == [0.3, 0.4]
