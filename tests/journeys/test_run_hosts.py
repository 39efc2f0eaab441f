"""`l0 run` with programs that host other code, each in an environment with nothing else: `make test-hosts`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

ROOT = Path(__file__).parents[2]
HOSTS = Path(__file__).with_name("hosts")
LONG = 200.0
ANSWER = "Hello! I am a simulated model. How can I help you today?"
with_and_without_l0_run = pytest.mark.parametrize("instrumented", [True, False], ids=["l0 run", "without it"])


def commands(name: str) -> Path:
    """Return the folder of the commands of one environment."""
    found = ROOT / ".venv-hosts" / name / "bin"
    if sys.platform == "win32" or not (found / "l0").is_file():
        pytest.skip("needs its own environment: make test-hosts")
    return found


def environment(sim: Simulator, found: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "L0_", "PYTHONPATH"))}
    return {**kept, "PROVIDER": sim.openai, "PATH": os.pathsep.join([str(found), os.environ["PATH"]])}


def run(found: Path, *arguments: str, sim: Simulator, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(found / arguments[0]), *arguments[1:]],
        cwd=HOSTS,
        env={**environment(sim, found), **more},
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )


@with_and_without_l0_run
def test_notebook_kernel_is_recovered_and_shown(sim: Simulator, instrumented: bool) -> None:
    found = commands("notebook")
    sim.script(Fault.cut(at_event=1))
    command = ("l0", "run", "--console", "notebook.py") if instrumented else ("python", "notebook.py")
    ended = run(found, *command, sim=sim)
    assert ended.returncode == (not instrumented), ended.stderr
    assert (f"TEXT {ANSWER}" in ended.stdout) == instrumented
    assert ("openai chat gpt-4o  recovered by retry" in ended.stdout) == instrumented
    assert ("APIConnectionError" in ended.stdout) != instrumented
    assert len(sim.requests) == 1 + instrumented


@contextmanager
def worker(command: tuple[str, ...], environment: Mapping[str, str], errors: Path) -> Iterator[None]:
    """Run a Celery worker, with its stderr in a file."""
    with errors.open("wb") as file:
        started = subprocess.Popen(
            command, cwd=HOSTS, env=environment, stdout=subprocess.DEVNULL, stderr=file, start_new_session=True
        )
        try:
            yield
            started.send_signal(signal.SIGTERM)
            assert started.wait(LONG) == 0
        finally:
            if started.poll() is None:
                os.killpg(started.pid, signal.SIGKILL)
                started.wait()


@with_and_without_l0_run
def test_celery_worker_is_recovered_and_shown(sim: Simulator, tmp_path: Path, instrumented: bool) -> None:
    """A prefork worker: the child process that runs the task is instrumented, and so is its console."""
    found = commands("celery")
    (tmp_path / "messages").mkdir()
    sim.script(Fault.cut(at_event=1))
    variables = {**environment(sim, found), "QUEUE": str(tmp_path)}
    command = (str(found / "celery"), "-A", "celery_app", "worker", "--pool", "prefork", "--concurrency", "1")
    prefix = (str(found / "l0"), "run", "--console") if instrumented else ()
    with worker((*prefix, *command), variables, tmp_path / "errors.txt"):
        ask = f"from celery_app import answer; print(answer.delay().get(timeout={LONG / 2}))"
        asked = run(found, "python", "-c", ask, sim=sim, QUEUE=str(tmp_path))
    said = (tmp_path / "errors.txt").read_text(encoding="utf-8")
    assert asked.returncode == (not instrumented), asked.stderr
    assert (ANSWER in asked.stdout) == instrumented
    assert ("openai chat gpt-4o  recovered by retry" in said) == instrumented
    assert ("APIConnectionError" in said) != instrumented
    assert len(sim.requests) == 1 + instrumented
