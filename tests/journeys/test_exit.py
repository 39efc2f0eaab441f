"""A process ends within 3 s, whatever hangs: the collector, the SLO file, the end of an abandoned call; all at once."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from l0.runtime import finalizers
from l0.shared_state import slo_storage
from l0.simulator.server import Simulator
from l0.telemetry import otlp

LIMIT_S = 9.5
"""Far more than the limits of all parts, but less than the 10 s for which an exporter without a limit waits."""

CODE = """
import gc, os, sys, threading, time, warnings
import openai, l0
warnings.simplefilter("ignore", DeprecationWarning)
url, collector, store, forked = sys.argv[1:]
hangs = threading.Event()

class Observer:  # of the application's
    def observe(self, call):
        return self
    def active(self):
        import contextlib
        return contextlib.nullcontext()
    def headers(self):
        return {}
    def notify(self, event):
        if type(event).__name__ == "CallEnded" and hangs.is_set():
            reached.set()
            threading.Event().wait()

reached = threading.Event()

def main():
    client = openai.OpenAI(api_key="k", base_url=url)
    ask = lambda: client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True)
    list(ask())
    streams = [ask() for _ in range(10)]
    for stream in streams:
        next(stream)
    hangs.set()
    del stream
    streams.clear()  # nobody closes them
    gc.collect()
    assert reached.wait(60)
    print(time.time(), flush=True)

l0.slo.start(store=store)
l0.instrument(otlp=collector, observers=[Observer()])
print("lock", flush=True)
sys.stdin.readline()
if forked == "forked":
    child = os.fork()
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
main()
"""


def test_limits_of_all_parts_are_less_than_three_seconds() -> None:
    assert finalizers._EXIT_WAIT_S + otlp.GRACE + slo_storage.EXIT <= 2.5


@pytest.mark.parametrize("forked", ["forked", "not forked"])
def test_process_ends_though_everything_hangs_at_once(sim: Simulator, tmp_path: Path, forked: str) -> None:
    if forked == "forked" and not hasattr(os, "fork"):
        pytest.skip("needs fork")
    store = tmp_path / "slo.db"
    with socket.create_server(("127.0.0.1", 0)) as collector:  # takes connections, and never answers
        arguments = [sim.openai, f"http://127.0.0.1:{collector.getsockname()[1]}", str(store), forked]
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, *arguments], stdin=-1, stdout=-1, stderr=-1, text=True, env=os.environ
        )
        with process, closing(sqlite3.connect(store)) as other:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "lock\n"
            other.execute("BEGIN EXCLUSIVE")
            process.stdin.write("\n")
            process.stdin.flush()
            output, errors = process.communicate(timeout=120)
            ended = time.time()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert "OTLP export to" in errors
    assert "SLO windows" in errors
    assert ended - float(output) < LIMIT_S, errors
