"""`l0 run` protects programs that nobody edits, and the processes that they start. Real servers, real sockets."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from makers import free_port

from l0.model.call import Outcome
from l0.recording.recording import Recording
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

HERE = Path(__file__).parent
PROGRAMS = "run_programs.py"
RUN = [sys.executable, "-m", "l0", "run"]
LIMIT_S = 120.0
"""Only a hang takes so long."""
NOT_INSTRUMENTED = "NOT instrumented"

SCRIPTS = {
    "script": [PROGRAMS],
    "module": ["-m", "run_programs"],
    "interpreter": [sys.executable, "-X", "dev", "-W", "ignore", PROGRAMS],
    "multiprocessing spawn": [PROGRAMS, "spawn"],
    "multiprocessing fork": [PROGRAMS, "fork"],
    "multiprocessing forkserver": [PROGRAMS, "forkserver"],
    "shell script": ["sh", "-c", f"exec {sys.executable!r} {PROGRAMS}"],
}
SERVERS = {
    "uvicorn": ["uvicorn", "--port", "{port}", "--factory", "run_programs:asgi"],
    "uvicorn with reload": ["uvicorn", "--port", "{port}", "--reload", "--factory", "run_programs:asgi"],
    "uvicorn with 2 workers": ["uvicorn", "--port", "{port}", "--workers", "2", "--factory", "run_programs:asgi"],
    "gunicorn": ["gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "2", "run_programs:wsgi"],
    "gunicorn with preload": ["gunicorn", "--bind", "127.0.0.1:{port}", "--preload", "run_programs:wsgi"],
}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs exec and process groups")


def environment(sim: Simulator, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "L0_", "PYTHONPATH"))}
    return {**kept, "PROVIDER": sim.openai, "EXIT_LIMIT_S": str(LIMIT_S), **more}


def run(*arguments: str, sim: Simulator, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `l0 run` to the end of its program."""
    return subprocess.run(
        [*RUN, *arguments],
        cwd=HERE,
        env=environment(sim, **more),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.fixture(autouse=True)
def _one_cut(sim: Simulator) -> None:
    sim.reset()
    sim.script(Fault.cut(at_event=1))


@pytest.mark.parametrize("name", SCRIPTS)
def test_program_is_recovered(sim: Simulator, name: str) -> None:
    process = run(*SCRIPTS[name], sim=sim)
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("TEXT ")
    assert len(sim.requests) == 2


@pytest.mark.parametrize("name", ["script", "multiprocessing spawn", "multiprocessing fork"])
def test_program_is_recorded(sim: Simulator, tmp_path: Path, name: str) -> None:
    process = run("--record", str(tmp_path), *SCRIPTS[name], sim=sim)
    assert process.returncode == 0, process.stderr
    with Recording.open(tmp_path) as recording:
        assert [(call.outcome, len(call.attempts)) for call in recording] == [(Outcome.RECOVERED_RETRY, 2)]
        assert recording.problems == []


def test_program_is_logged_in_a_file(sim: Simulator, tmp_path: Path) -> None:
    process = run("--log", str(tmp_path / "l0.jsonl"), *SCRIPTS["script"], sim=sim)
    assert process.returncode == 0, process.stderr
    lines = [json.loads(line) for line in (tmp_path / "l0.jsonl").read_text().splitlines()]
    assert [(line["l0_event"], line["level"]) for line in lines] == [("retry", "DEBUG"), ("recovered", "INFO")]


def test_program_without_l0_run_fails(sim: Simulator) -> None:
    """The control: the same program is not recovered by itself."""
    process = subprocess.run(
        [sys.executable, PROGRAMS], cwd=HERE, env=environment(sim), capture_output=True, timeout=LIMIT_S, check=False
    )
    assert process.returncode == 1
    assert len(sim.requests) == 1


@contextmanager
def served(arguments: list[str], sim: Simulator) -> Iterator[str]:
    port = free_port()
    server = subprocess.Popen(
        [*RUN, *(part.format(port=port) for part in arguments)],
        cwd=HERE,
        env=environment(sim),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_port(port, server)
        yield f"http://127.0.0.1:{port}/"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(LIMIT_S)
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the server does not come up")


@pytest.mark.parametrize("name", SERVERS)
def test_server_is_recovered(sim: Simulator, name: str) -> None:
    with served(SERVERS[name], sim) as url:
        try:
            with urllib.request.urlopen(url, timeout=LIMIT_S) as response:
                assert response.read()
        except urllib.error.HTTPError as error:
            error.close()
            raise AssertionError("the call was not recovered") from error
    assert len(sim.requests) == 2


def test_policy_of_the_command(sim: Simulator) -> None:
    """`agent` holds whole messages, so that a cut in the middle is recovered."""
    sim.reset()
    sim.script(Fault.cut(at_event=4))
    process = run("--policy", "agent", PROGRAMS, sim=sim)
    assert process.returncode == 0, process.stderr
    assert len(sim.requests) == 2


def test_exit_code_and_arguments_are_the_programs(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import sys; print(sys.argv[1:]); sys.exit(7)", encoding="utf-8")
    process = run(str(tmp_path / "app.py"), "--policy", "-m", "x", sim=sim)
    assert process.returncode == 7
    assert process.stdout.strip() == "['--policy', '-m', 'x']"


def test_own_sitecustomize_still_runs(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('OWN')", encoding="utf-8")
    process = run(PROGRAMS, sim=sim, PYTHONPATH=str(tmp_path))
    # OWN is printed twice: `l0 run` is a Python process, and runs sitecustomize too.
    assert "OWN\nTEXT " in process.stdout


def test_failing_sitecustomize_does_not_leave_the_program_unprotected(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise RuntimeError('theirs')", encoding="utf-8")
    process = run(PROGRAMS, sim=sim, PYTHONPATH=str(tmp_path))
    assert "RuntimeError: theirs" in process.stderr
    assert len(sim.requests) == 2


@pytest.mark.parametrize("flags", [["-I"], ["-E"], ["-S"], ["-Im"], ["-X", "dev", "-sE"]], ids=" ".join)
def test_isolated_interpreter_is_reported(sim: Simulator, flags: list[str]) -> None:
    program = ["platform"] if flags[-1].endswith("m") else ["-c", "pass"]
    process = run(sys.executable, *flags, *program, sim=sim)
    assert process.returncode == 0, process.stderr
    assert NOT_INSTRUMENTED in process.stderr


@pytest.fixture
def other_python(tmp_path: Path) -> str:
    """An environment without l0."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "other"], check=True, timeout=LIMIT_S)
    return str(tmp_path / "other/bin/python")


def test_environment_without_l0_is_reported(sim: Simulator, other_python: str) -> None:
    process = run(other_python, "-c", "print('ran')", sim=sim)
    assert process.stdout == "ran\n"
    assert f"cannot be imported by {other_python}" in process.stderr


def test_script_of_an_environment_without_l0_is_reported(sim: Simulator, other_python: str, tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text(f"#!{other_python}\nprint('ran')\n", encoding="utf-8")
    script.chmod(0o755)
    process = run(str(script), sim=sim)
    assert process.stdout == "ran\n"
    assert NOT_INSTRUMENTED in process.stderr


def test_other_program_is_reported(sim: Simulator) -> None:
    process = run(shutil.which("true") or "true", sim=sim)
    assert process.returncode == 0
    assert process.stderr.startswith("l0 run: true is not a Python program")


def test_healthy_start_says_nothing(sim: Simulator) -> None:
    sim.reset()
    process = run(PROGRAMS, sim=sim)
    assert process.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "program: got nothing, allowed: a script"),
        (["-m"], "-m: got nothing, allowed: the name of a module"),
        (["no-such-program"], "program: got 'no-such-program', allowed: a file"),
        (["--policy", "fast", PROGRAMS], "--policy: got 'fast', allowed: one of interactive"),
        (["--otlp", "localhost", PROGRAMS], "otlp: got 'localhost', allowed: the URL"),
    ],
    ids=str,
)
def test_invalid_input(sim: Simulator, arguments: list[str], message: str) -> None:
    process = run(*arguments, sim=sim)
    assert process.returncode == 2
    assert message in process.stderr
    assert not sim.requests
