"""`l0.instrument()` imports no more than it needs to patch: the first call imports what serves it."""

import os
import subprocess
import sys

from l0.testing import simulator

PROGRAM = """
import sys

def imported(action):
    before = set(sys.modules)
    action()
    print(*sorted(set(sys.modules) - before))

imported(lambda: __import__("l0"))
import l0
imported(lambda: l0.instrument())
imported(lambda: [__import__(name) for name in ("openai", "anthropic")])
import openai
client = openai.OpenAI(api_key="k", base_url=sys.argv[1])
ask = client.chat.completions.create
imported(lambda: ask(model="m", messages=[{"role": "user", "content": "hi"}]))
"""
HEAVY = {"typing", "re", "enum", "logging", "pathlib", "email", "importlib.metadata", "asyncio", "ssl", "wrapt"}
"""Modules that take milliseconds to import, and that every process with an SDK has in the end."""
CALLS_ONLY = {"opentelemetry", "packaging", "sqlite3", "difflib"}
"""Packages that only calls need, and that take long to import."""


def test_instrument_imports_only_what_it_needs_to_patch() -> None:
    with simulator() as sim:
        done = subprocess.run(
            [sys.executable, "-S", "-c", PROGRAM, sim.openai],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    own, alone, with_sdks, by_call = [line.split() for line in done.stdout.splitlines()]
    assert HEAVY & {*own} == set()
    assert HEAVY & {*alone} <= {"typing", "re", "enum"}
    assert {name.partition(".")[0] for name in alone} & CALLS_ONLY == set()
    ours = [name for name in (*alone, *with_sdks) if name.partition(".")[0].startswith("l0")]
    assert len(ours) <= 41, ours
    assert "l0.stainless.direct_proof" not in {*alone, *with_sdks, *by_call}, "the first stream runs the proof"
    assert {"l0.config", "l0.model.policy", "l0.stainless.sdk_calls", "l0.telemetry.spans"} <= set(by_call)
