"""The soak passes a healthy run, and fails a lost call, a growing process and a hang."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
HANGS = 240
"""Seconds that only a hang takes."""
HUNG = """
import asyncio, time
from benchmarks import soak
from benchmarks.soak_tally import Tally

async def hang():
    tally, soak.HANG_SECONDS = Tally(), 0
    tally.begin("a call without an end")
    time.sleep(0.01)
    soak.watch_for_hangs(tally)

asyncio.run(hang())
"""


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANGS, check=False)


@pytest.fixture
def soak(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.soak")


@pytest.fixture
def tally_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.soak_tally")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_short_soak_is_sound() -> None:
    done = run_python("-m", "benchmarks.soak", "--minutes", "0.05", "--streams", "15")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("\nsound\n")


def test_hung_call_fails_with_the_stacks() -> None:
    done = run_python("-c", HUNG)
    assert done.returncode == 1
    assert "a call without an end" in done.stderr
    assert "in watch_for_hangs" in done.stderr


@pytest.mark.parametrize(("minutes", "growth", "flat"), [(7, 0.9, True), (7, 1.1, False), (5, 0.6, True)])
def test_memory_growth_after_the_third_minute(soak: ModuleType, minutes: int, growth: float, flat: bool) -> None:
    """Before the third minute it may grow; over less than three minutes of growth nothing is concluded."""
    samples = [
        soak.Sample(
            at=at,
            memory_mb=100,
            in_use_mb=100 + (at / 60 * growth if at >= 180 else at),
            objects=0,
            files=1,
            threads=1,
            tasks=1,
        )
        for at in range(2, minutes * 60, 2)
    ]
    assert soak.is_flat(soak.warm(samples, minutes * 60)) is flat


@pytest.mark.parametrize("resource", ["memory_mb", "in_use_mb", "files", "threads", "tasks"])
def test_growth_of_other_resources(soak: ModuleType, resource: str) -> None:
    steady = {"memory_mb": 100.0, "in_use_mb": 50.0, "objects": 0, "files": 1, "threads": 1, "tasks": 1}
    samples = [soak.Sample(at=at, **steady | {resource: at}) for at in range(0, 120, 2)]
    assert not soak.is_flat(soak.warm(samples, 120))


@pytest.mark.parametrize(("ended", "spans", "conserved"), [(2, 2, True), (1, 2, False), (2, 1, False), (2, 3, False)])
def test_calls_are_conserved(tally_module: ModuleType, ended: int, spans: int, conserved: bool) -> None:
    tally = tally_module.Tally()
    tickets = [tally.begin("a call") for _ in range(2)]
    for ticket in tickets[:ended]:
        tally.end(ticket, tally_module.End.WHOLE)
    for _ in range(spans):
        tally.add_span("ok")
    assert tally.conserved is conserved


def test_wrong_end_is_not_conserved(tally_module: ModuleType) -> None:
    tally = tally_module.Tally()
    tally.end(tally.begin("a call"), tally_module.End.WRONG, "half an answer")
    tally.add_span("ok")
    assert not tally.conserved
    assert tally.wrong == ["a call: half an answer"]
