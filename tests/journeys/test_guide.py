"""The guides are true: every block of Python in them runs as it stands, against the simulator.

Ours are `docs/guide.md` and `docs/migration.md`. The other is the guide that this project set out to honour; its text
is not a part of the project: set `TEST_SEEDS` to its folder, the default is `shared/seeds` beside the project. A block
that leans on what stands above it in the text, or leaves something out (`...`), gets a prelude, chosen here by the
heading it stands under, and in ours by a comment in front of it. `TEST_FORMER` names the unpacked source of L0 for
Python, whose README and quick start run as well, with the exceptions that `INSTEAD` explains.
"""

import ast
import asyncio
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import CO_COROUTINE
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import anthropic
import openai
import pytest

import l0
from l0.engine.retry import delay
from l0.model.failure import CATEGORIES, RETRY_REASONS, Category
from l0.simulator.answers import Answer
from l0.simulator.corpus import bundled_answer
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.streams.adapters import ADAPTERS
from l0.types import BackoffStrategy, RetryableErrorType

DOCS = Path(__file__).parents[2] / "docs"
OURS = DOCS / "guide.md"
SEEDS = Path(os.environ.get("TEST_SEEDS") or Path(__file__).parents[3] / "shared" / "seeds")
BLOCK = re.compile(
    r"^(?P<heading>#+ [^\n]*)$|^(?:<!-- prelude: (?P<prelude>[\w ]+) -->\n)?```python\n(?P<code>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
FORMER = Path(os.environ.get("TEST_FORMER") or "not given")
DEFAULTS = re.compile(r"^((?:RETRY|ERROR_TYPE_DELAY)_DEFAULTS\.\w+)\s+# ([\d.]+)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    heading: str
    number: int
    code: str
    preludes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.number}-{self.heading}"


def blocks(text: str, preludes: dict[str, tuple[str, ...]]) -> Iterator[Block]:
    heading, number = "", 0
    for found in BLOCK.finditer(text):
        if found["heading"]:
            heading = found["heading"].lstrip("# ")
            continue
        number += 1
        named = tuple((found["prelude"] or "").split()) or preludes.get(heading, ())
        yield Block(heading, number, found["code"], named)


class Elided:
    """A client whose `create(...)` may leave its arguments out, as the guides do."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._call(found) if name == "create" else Elided(found)

    @staticmethod
    def _call(create: Any) -> Any:
        asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": True}

        def ask(*left_out: Any, **given: Any) -> Any:
            return create(**(asked if left_out == (...,) else given))

        return ask


async def tasks(room: dict[str, Any]) -> None:
    """Three of one mind, and two more."""
    for number in range(1, 6):
        room[f"task{number}"] = lambda: room["client"].chat.completions.create(...)
    room["tasks"] = [room["task1"], room["task2"], room["task3"]]


async def result(room: dict[str, Any]) -> None:
    """An answer on its way."""
    room["result"] = await l0.run(stream=lambda: room["client"].chat.completions.create(...))


async def stream(room: dict[str, Any]) -> None:
    """The functions that create an answer."""
    room["stream"] = lambda: room["client"].chat.completions.create(...)


async def names(room: dict[str, Any]) -> None:
    """The names that earlier blocks have imported."""
    for name in ("l0", "Timeout", "Retry", "Guardrails", "Window", "Policy"):
        if name in l0.__all__:
            room[name] = getattr(l0, name)


async def documents(room: dict[str, Any]) -> None:
    """Something to cut."""
    room["doc"] = room["document"] = "A sentence about harbours. Another one about boats.\n\n" * 400


async def claude(room: dict[str, Any]) -> None:
    """A client of the other provider."""
    sim: Simulator = room["__sim__"]
    room["claude"] = anthropic.AsyncAnthropic(api_key="k", base_url=sim.anthropic)
    room["__close__"].append(room["claude"])


async def plain(room: dict[str, Any]) -> None:
    """The client itself: nothing is left out."""
    room["client"] = room["client"]._inner


async def sync(room: dict[str, Any]) -> None:
    """Clients for sync code."""
    sim: Simulator = room["__sim__"]
    room["sync_client"] = openai.OpenAI(api_key="k", base_url=sim.openai)
    room["__close_sync__"].append(room["sync_client"])


async def structured(room: dict[str, Any]) -> None:
    """A model that answers in JSON."""
    sim: Simulator = room["__sim__"]
    sim.script(*[Answer(text=json.dumps({"city": "Bergen", "ferries": 3}))] * 4)


async def profile(room: dict[str, Any]) -> None:
    """A model that describes a person."""
    sim: Simulator = room["__sim__"]
    sim.script(Answer(text=json.dumps({"name": "Alice", "age": 32, "email": "alice@example.com"})))


async def tools(room: dict[str, Any]) -> None:
    """A model that calls tools."""
    room["__sim__"].script(bundled_answer("parallel_tools"))


async def broken(room: dict[str, Any]) -> None:
    """A connection that breaks on the way."""
    room["__sim__"].script(Fault.cut(at_event=5))


# bpe-openai, if it is installed for windows in tokens, reads its vocabularies by a deprecated function.
pytestmark = pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning")
MADE = (tasks, result, stream, names, documents, claude, plain, profile, sync, structured, tools, broken)
PRELUDES = {made.__name__: made for made in MADE}
SEED_PRELUDES = {
    "Inter-Token Timeout": ("names",),
    "Pattern Matching": ("names",),
    "Stream Consumption": ("names", "result", "stream"),
    "Checkpoint Pruning": ("result",),
    "Async Context Manager": ("stream",),
    "Token Accumulation": ("result",),
    "Chunk Size": ("documents",),
    "Overlap Strategy": ("documents",),
    "Chunking Strategy": ("documents",),
    "Parallel Processing": ("documents",),
    "Stream Count": ("tasks",),
    "Strategy Selection": ("tasks",),
    "Presets": ("tasks",),
}


async def run(block: Block, sim: Simulator, **given: Any) -> dict[str, Any]:
    """Run a block, with the client that it expects. What it has defined."""
    async with openai.AsyncOpenAI(api_key="k", base_url=sim.openai) as inner:
        room: dict[str, Any] = {"client": Elided(inner), "__sim__": sim, "__close__": [], "__close_sync__": []}
        room |= given
        for name in block.preludes:
            await PRELUDES[name](room)
        code = compile(block.code, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        await execute(code, room)
        if isinstance(room["client"], openai.AsyncOpenAI):  # the block's own
            room["__close__"].append(room["client"])
        for client in room["__close__"]:
            await client.close()
        for client in room["__close_sync__"]:
            client.close()
        room["__stream__"] = room.get("result")
        for name in ("process_prompt", "stream_with_timeout"):
            if name in room:
                room[name] = await room[name](*(["hi"] if name == "process_prompt" else []))
        return room


async def execute(code: CodeType, room: dict[str, Any]) -> None:
    done = FunctionType(code, room)()
    if code.co_flags & CO_COROUTINE:
        await done


def seed() -> list[Block]:
    files = sorted(SEEDS.glob("001_*.txt")) if SEEDS.is_dir() else []
    return list(blocks(files[0].read_text(encoding="utf-8"), SEED_PRELUDES)) if files else []


SEED = seed()


@pytest.mark.skipif(not SEED, reason="the guide is not here: set TEST_SEEDS to its folder")
def test_the_guide_has_the_blocks_that_are_promised() -> None:
    assert len(SEED) == 24
    assert set(SEED_PRELUDES) <= {block.heading for block in SEED}


@pytest.mark.parametrize("patched", [True, False], ids=["patched", "bare"])
@pytest.mark.parametrize("block", SEED, ids=str)
def test_the_guide_works_as_written(block: Block, patched: bool, sim: Simulator, capsys: Any) -> None:
    if patched:
        l0.instrument()
    room = asyncio.run(run(block, sim))
    for expression, figure in DEFAULTS.findall(block.code):
        assert eval(expression, room) == float(figure), expression
    if "stream_with_timeout" in room:
        assert room["stream_with_timeout"].startswith("Hello")
    if "results" in room and block.heading == "Concurrent Streams":
        assert [text[:5] for text in room["results"]] == ["Hello"] * 3
    assert block.code


INSTEAD = {
    "README.md 1-Wrap Your Client (Recommended)": "A client",
    "README.md 3-With LiteLLM (100+ Providers)": "needs litellm",
    "README.md 4-Structured Output with Pydantic": "Values",
    "README.md 7-Parallel Execution": "Several calls",
    "README.md 8-Pydantic Validation Models": "Not available here",
    "QUICKSTART.md 1-Wrap a Client (Recommended)": "A client",
    "QUICKSTART.md 8-Error Handling": "A stream",
}
"""The blocks that do not run here as written, with the heading of `docs/migration.md` that says what to write."""
FORMER_PRELUDES = dict.fromkeys(["Result State", "Event Types"], ("result",)) | {
    "Structured Output (Guaranteed JSON)": ("profile",),
    "Document Processing": ("documents",),
    "Fallback Models": ("names",),
    "Monitoring": ("names",),
}


def former() -> Iterator[Any]:
    for page in ("README.md", "QUICKSTART.md"):
        if (FORMER / page).is_file():
            for block in blocks((FORMER / page).read_text(encoding="utf-8"), FORMER_PRELUDES):
                yield pytest.param(block, f"{page} {block}", id=f"{page}-{block}")


@pytest.mark.skipif(not FORMER.is_dir(), reason="set TEST_FORMER to the unpacked source of ai2070-l0")
@pytest.mark.parametrize(("block", "name"), list(former()))
def test_the_former_quick_start_runs_or_the_page_says_what_to_write(
    block: Block, name: str, sim: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    if name in INSTEAD:
        assert INSTEAD[name] == "needs litellm" or f"## {INSTEAD[name]}\n" in (DOCS / "migration.md").read_text("utf-8")
        return
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", sim.openai)
    assert asyncio.run(run(block, sim, prompt="hi", messages=[], long_document="Boats. " * 900))


@pytest.fixture
def _adapters() -> Iterator[None]:
    before = ADAPTERS._registered
    yield
    ADAPTERS._registered = before


@pytest.mark.usefixtures("_adapters")
@pytest.mark.parametrize(
    "block",
    [block for page in (OURS, DOCS / "migration.md") for block in blocks(page.read_text(encoding="utf-8"), {})],
    ids=str,
)
def test_our_guide_works_as_written(block: Block, sim: Simulator, capsys: Any) -> None:
    room = asyncio.run(run(block, sim))
    assert room


def rows(heading: str) -> list[list[str]]:
    """The cells of the table in our guide that begins with this column."""
    text = OURS.read_text(encoding="utf-8")
    (table,) = re.findall(rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_table_of_delays_is_true() -> None:
    told = {quoted(name)[0]: quoted(formula)[0] for name, formula in rows("`BackoffStrategy`")}
    assert set(told) == set(BackoffStrategy.__members__)
    for name, formula in told.items():
        retry = l0.Retry(strategy=BackoffStrategy[name], base_delay=0.5)
        for n, chance in ((1, 0.0), (2, 0.25), (4, 1.0)):
            assert delay(retry, n, chance) == eval(formula, {"base_delay": 0.5, "n": n, "chance": chance}), name


def test_the_table_of_reasons_is_true() -> None:
    told = {name: quoted(limits) for names, limits in rows("`retry_on`") for name in quoted(names)}
    assert set(told) == set(RetryableErrorType.__members__)
    for cause, reason in RETRY_REASONS.items():
        if CATEGORIES[cause] in (Category.MODEL, Category.CONTENT):
            assert told[reason.name] == ["attempts", "max_retries"], cause
        else:
            assert told[reason.name] == ["max_retries"], cause


def test_the_table_of_rules_is_true() -> None:
    for name, rules in rows("preset"):
        assert [rule.name for rule in l0.Guardrails.preset(quoted(name)[0])] == quoted(rules)
