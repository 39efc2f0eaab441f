"""The console of real processes: on a terminal, in a pipe, closed, and with many calls at once."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import openai
import pytest
from journeys_kit import CHATTING, async_chat_client, chat_client, sync_and_async

import l0
from l0.console.line import columns
from l0.runtime.finalizers import LATER
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault as F
from l0.simulator.server import Simulator

HERE = Path(__file__).parent
PROGRAM = [sys.executable, "console_program.py"]
WIDTH = 80
LIMIT_S = 120.0
ESCAPES = re.compile(r"\x1b\[[\d;]*m")
HEAD = re.compile(r"^\d\d:\d\d:\d\d (.) +\d+\.\d\d s  openai chat (\S+)")
CALLS = 40

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals and SIGTERM")


def environment(sim: Simulator, **more: str) -> dict[str, str]:
    ours = ("OTEL_", "L0_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_", "PYTHONIOENCODING")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PROVIDER": sim.openai, "TERM": "xterm-256color", "PYTHONUTF8": "1", **more}


def on_terminal(sim: Simulator, **more: str) -> str:
    """Run the program on a terminal of 80 columns, and return what it shows."""
    import fcntl
    import pty
    import struct
    import termios

    screen, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    with subprocess.Popen(
        [*PROGRAM, "stay"], cwd=HERE, env=environment(sim, **more), stdin=end, stdout=end, stderr=end
    ) as program:
        os.close(end)
        shown = b""
        with suppress(OSError):  # Linux reports the end as an error
            while piece := os.read(screen, 65536):
                shown += piece
        os.close(screen)
        assert program.wait(LIMIT_S) == 0
    return shown.decode().replace("\r\n", "\n")


def in_pipe(sim: Simulator, how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, how], cwd=HERE, env=environment(sim), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


@posix
@pytest.mark.parametrize("colour", [True, False], ids=["colour", "NO_COLOR"])
def test_terminal_of_80_columns(sim: Simulator, colour: bool) -> None:
    pytest.importorskip("rich", reason="rich is not installed: pip install 'l0-otel[cli]'")
    sim.script(F.cut(at_event=1), Answer(text="ANSWER"), F.status(401))
    shown = on_terminal(sim, **({} if colour else {"NO_COLOR": "1"}))
    assert bool(re.search(r"\x1b\[3\dm", shown)) is colour
    rows = ESCAPES.sub("", shown).replace(" " * WIDTH + "\r", "\n").splitlines()
    assert all(columns(row) <= WIDTH for row in rows), rows
    heads = [found[1] for row in rows if (found := HEAD.match(row))]
    # Both at the start of a row, although the program had printed an answer without the end of its line.
    assert heads == ["↻", "✗"], rows
    assert "ANSWER" in rows
    text = " ".join(" ".join(rows).split())
    assert text.count("authentication status 401") == 1, "the log says it again"
    assert "calls 2: 1 recovered, 1 failed" in text
    assert not re.search("SECRET|PROMPT", shown)


@posix
def test_summary_comes_before_sigterm_ends_the_process(sim: Simulator) -> None:
    ended = in_pipe(sim, "terminate")
    assert ended.returncode == -signal.SIGTERM
    assert "calls      2: 2 whole" in ended.stderr
    assert "\x1b" not in ended.stderr


@posix
def test_closed_stderr_breaks_no_call(sim: Simulator) -> None:
    command = f"exec {sys.executable!r} console_program.py stay 2>&-"
    ended = subprocess.run(
        ["sh", "-c", command], cwd=HERE, env=environment(sim), capture_output=True, timeout=LIMIT_S, check=False
    )
    assert ended.returncode == 0
    assert b"FAILED" not in ended.stdout


@posix
def test_run_shows_calls_of_forked_workers(sim: Simulator) -> None:
    sim.script(F.cut(at_event=1))
    ended = subprocess.run(
        [sys.executable, "-m", "l0", "run", "--console", "run_programs.py", "fork"],
        cwd=HERE,
        env=environment(sim),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert [found[1] for row in ended.stderr.splitlines() if (found := HEAD.match(row))] == ["↻"]
    assert ended.stderr.count("l0 summary of process") == 1
    assert "calls      1: 1 recovered" in ended.stderr


@sync_and_async
def test_concurrent_calls_do_not_mix(
    sim: Simulator, loop: asyncio.AbstractEventLoop, capsys: pytest.CaptureFixture[str], sync: bool
) -> None:
    """Each call's tree follows its line, and belongs to it."""
    # Chance decides which call meets which answer: even one that meets every 503 has retries left.
    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0, max_retries=CALLS)), console=True)
    sim.script(*[F.status(503), None] * CALLS)
    if sync:
        client = chat_client(sim)

        def ask(number: int) -> None:
            with suppress(openai.APIError):
                client.chat.completions.create(**CHATTING | {"model": f"model-{number}"})

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(CALLS)))
    else:

        async def ask_all() -> None:
            async with async_chat_client(sim) as client:
                asked = [
                    client.chat.completions.create(**CHATTING | {"model": f"model-{number}"}) for number in range(CALLS)
                ]
                await asyncio.gather(*asked, return_exceptions=True)

        loop.run_until_complete(ask_all())
    LATER.finish()
    heads, tree = [], 0
    for row in capsys.readouterr().err.splitlines():
        found = HEAD.match(row)
        if found:
            assert tree == 0
            heads.append(found[2])
            tree = row.count("recovered")
        else:
            assert re.match(r"^ {9}[├└] ", row)
            tree = 0 if row[9] == "└" else 1
    assert sorted(heads) == sorted(f"model-{number}" for number in range(CALLS))
    summary = l0.summary()
    assert summary.calls == CALLS
    assert summary.whole + summary.recovered["unavailable"] == CALLS
