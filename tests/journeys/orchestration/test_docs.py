"""`docs/orchestration.md` is true: its blocks run as they stand, one after the other, against the simulator."""

import ast
import asyncio
import re
from inspect import CO_COROUTINE
from pathlib import Path
from types import FunctionType

from orchestration_kit import provider

import l0
from l0.orchestration.pipelines import Pipeline
from l0.orchestration.windows.chunks import merge
from l0.simulator.corpus import bundled_answer

TEXT = (Path(__file__).parents[3] / "docs" / "orchestration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
GREETING = bundled_answer("greeting").text


async def execute(source, room):
    code = compile(source, "<docs>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = FunctionType(code, room)()
    if code.co_flags & CO_COROUTINE:
        await made


def test_every_block_runs(sim, spans, capsys):
    room = {}

    async def main():
        async with provider(sim) as made:
            room["client"] = made.chat_client
            for source in BLOCKS:
                await execute(source, room)

    asyncio.run(main())
    shown = capsys.readouterr().out
    assert len(BLOCKS) >= 10
    assert GREETING in shown
    assert "100.0 %" in shown
    assert "{'name': 'Ada', 'born': 1815}" in shown
    assert "HARBOURS, WITHOUT SOURCES {'sources': LookupError('harbours')} False" in shown
    assert room["written"] == [GREETING] * len(room["written"])
    assert merge(room["window"]) == room["document"]


def test_the_tables_of_presets_are_true():
    rows = re.findall(
        r"^\| `Consensus\.([A-Z]+)`, `\.(\w+)\(.*?\| (\w+) \| ([\d.]+) \| ([\d.]+) \| (\w+) \|$", TEXT, re.MULTILINE
    )
    assert len(rows) == 4
    for name, method, strategy, threshold, minimum, resolve in rows:
        preset = getattr(l0.Consensus, name)
        assert callable(getattr(l0.Consensus, method))
        assert (preset.strategy, preset.resolve) == (strategy, resolve)
        assert (preset.threshold, preset.minimum_agreement) == (float(threshold), float(minimum))
    assert Pipeline.PRODUCTION.timeout == 300_000
