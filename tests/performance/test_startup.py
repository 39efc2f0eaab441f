"""`l0.instrument()` imports no more than it needs to patch: the first call imports what serves it."""

import subprocess
import sys

from l0.testing import simulator

PROGRAM = """
import sys
import l0

def imported(action):
    before = set(sys.modules)
    action()
    print(*sorted(set(sys.modules) - before))

imported(l0.instrument)
imported(lambda: [__import__(name) for name in ("openai", "anthropic")])
import openai
client = openai.OpenAI(api_key="k", base_url=sys.argv[1])
ask = client.chat.completions.create
imported(lambda: ask(model="m", messages=[{"role": "user", "content": "hi"}]))
"""
HEAVY = {"opentelemetry", "packaging", "sqlite3", "difflib"}
"""Packages that only calls need, and that take long to import."""


def test_instrument_imports_only_what_it_needs_to_patch() -> None:
    with simulator() as sim:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, sim.openai], capture_output=True, text=True, check=True, timeout=120
        )
    alone, with_sdks, by_call = [line.split() for line in done.stdout.splitlines()]
    assert {name.partition(".")[0] for name in alone} & HEAVY == set()
    assert {"asyncio", "ssl", "wrapt"}.isdisjoint(alone)
    ours = [name for name in (*alone, *with_sdks) if name.partition(".")[0].startswith("l0")]
    assert len(ours) <= 28, ours
    assert "l0.stainless.direct_proof" not in {*alone, *with_sdks, *by_call}, "the first stream runs the proof"
    assert {"l0.config", "l0.model.policy", "l0.stainless.sdk_calls", "l0.telemetry.spans"} <= set(by_call)
