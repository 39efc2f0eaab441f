"""Hosts of other code, each in an environment with nothing else: their pages, and `l0 run`: `make test-hosts`."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from lambda_service import LambdaService, lambda_service
from otlp_receiver import Received, otlp_receiver
from runnable_pages import check_shown, python_blocks, run_page

from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

ROOT = Path(__file__).parents[2]
HOSTS = Path(__file__).with_name("hosts")
LIMIT_S = 200.0
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
        timeout=LIMIT_S,
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


INTERRUPTED = """
import os, signal, threading
question = {"role": "user", "content": "Hello [[simulate: stall at_event=4]]"}
try:
    with client.chat.completions.create(model="gpt-4o", messages=[question], stream=True) as stream:
        next(stream)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        list(stream)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_cells_of_the_page_about_jupyter_show_what_it_shows(sim: Simulator) -> None:
    """The kernel is interrupted while it waits for the provider, and goes on."""
    found = commands("notebook")
    page = (ROOT / "docs" / "jupyter.md").read_text(encoding="utf-8")
    cells = python_blocks(page)
    shown = re.findall(r"^```text\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    provider = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": sim.openai}
    ended = run(found, "python", "notebook.py", json.dumps([*cells, INTERRUPTED, cells[1]]), sim=sim, **provider)
    assert ended.returncode == 0, ended.stderr
    check_shown("".join(shown).splitlines(), ended.stdout, "notebook.py")
    assert "l0 summary" in ended.stdout
    _, _, interrupted = ended.stdout.partition("l0 summary")
    assert re.search("interrupted.*recovered by retry", interrupted, re.DOTALL)
    assert "openai chat gpt-4o  cancelled" in interrupted


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
            assert started.wait(LIMIT_S) == 0
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
        ask = f"from celery_app import answer; print(answer.delay().get(timeout={LIMIT_S / 2}))"
        asked = run(found, "python", "-c", ask, sim=sim, QUEUE=str(tmp_path))
    said = (tmp_path / "errors.txt").read_text(encoding="utf-8")
    assert asked.returncode == (not instrumented), asked.stderr
    assert (ANSWER in asked.stdout) == instrumented
    assert ("openai chat gpt-4o  recovered by retry" in said) == instrumented
    assert ("APIConnectionError" in said) != instrumented
    assert len(sim.requests) == 1 + instrumented


@pytest.mark.parametrize("children", [(), ("--max-tasks-per-child 1",)], ids=["warm shutdown", "one task per child"])
def test_page_about_celery_runs_and_its_worker_sends_everything(
    sim: Simulator, tmp_path: Path, children: tuple[str, ...]
) -> None:
    """The child processes end without `atexit`. Folders on the disk stand in for Redis."""
    found = commands("celery")
    page = (ROOT / "docs" / "celery.md").read_text(encoding="utf-8")
    command = "celery -A tasks worker"
    assert command in page
    for name in ("data_in", "results"):
        (tmp_path / name).mkdir()
    (tmp_path / "data_out").symlink_to("data_in")
    with otlp_receiver() as (url, received):
        queue = {"CELERY_BROKER_URL": "filesystem://", "CELERY_RESULT_BACKEND": f"file://{tmp_path}/results"}
        provider = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": sim.openai, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        started = page.replace(command, " ".join((command, *children)))
        assert run_page(started, tmp_path, {**queue, **provider}, found) == 4
    sent = {path: body for path, _, body in received}
    assert sent.keys() == {"/v1/traces", "/v1/metrics"}
    assert b"gen_ai.client.operation.duration" in sent["/v1/metrics"]


@pytest.fixture
def function(sim: Simulator, tmp_path: Path) -> Iterator[tuple[LambdaService, Received]]:
    """The function of the page about Lambda, frozen before its first event, and what its collector has received."""
    found = commands("lambda")
    run_page((ROOT / "docs" / "aws_lambda.md").read_text(encoding="utf-8"), tmp_path, {})
    with otlp_receiver() as (url, received), lambda_service() as service:
        provider = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": sim.openai, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        command = [str(found / "python"), "-m", "awslambdaric", "function.handler"]
        service.start(command, tmp_path, {**environment(sim, found), **provider})
        yield service, received


def test_lambda_function_has_sent_everything_when_it_is_frozen(
    sim: Simulator, function: tuple[LambdaService, Received]
) -> None:
    service, received = function
    for event in (1, 2):
        received.clear()
        sim.script("refuse")  # as a connection that died while the process was frozen
        assert json.loads(service.invoke(b'{"text": "Hello"}')) == {"answer": ANSWER}
        assert len(sim.requests) == 2 * event
        sent = {path: body for path, _, body in received}
        assert sent.keys() == {"/v1/traces", "/v1/metrics"}
        assert b"recovered_retry" in sent["/v1/traces"]


def test_lambda_function_answers_before_its_time_out(sim: Simulator, function: tuple[LambdaService, Received]) -> None:
    service, received = function
    sim.script("no-headers")
    assert json.loads(service.invoke(b'{"text": "Hello"}', timeout_ms=3_000)) == {"error": "APITimeoutError"}
    assert "/v1/traces" in {path for path, _, _ in received}
