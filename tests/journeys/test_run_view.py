"""`l0 run --view`: the calls of a program and of its children are shown, by a viewer that is there or is started."""

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from makers import free_port
from test_run import PROGRAMS, SCRIPTS, run
from viewer_client import HANGS, ViewerClient, running_viewer

from l0.cli.inputs import InputError
from l0.cli.run.viewer_process import viewer_for_run
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.viewer.recording_folders import RecordingFolders

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs exec and process groups")


@pytest.fixture(autouse=True)
def _one_cut(sim: Simulator) -> None:
    sim.reset()
    sim.script(Fault.cut(at_event=1))


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewerClient]:
    with running_viewer(tmp_path_factory.mktemp("viewer") / "view.db") as running:
        yield running


def end(viewer: ViewerClient, process: int) -> None:
    os.kill(process, signal.SIGTERM)
    until = time.monotonic() + HANGS
    while is_listening(viewer.port):
        assert time.monotonic() < until, "the viewer does not end"
        time.sleep(0.02)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=HANGS).close()
    except ConnectionRefusedError:
        return False
    return True


def test_viewer_is_started_and_stays(sim: Simulator, tmp_path: Path) -> None:
    viewer = ViewerClient(free_port())
    ended = run("--view-port", str(viewer.port), PROGRAMS, sim=sim, XDG_STATE_HOME=str(tmp_path), HOME=str(tmp_path))
    started = "l0 view stays after the program ends, and ends with"
    said = re.fullmatch(f"l0 run: calls are shown at {viewer.origin}; {started}: kill (\\d+)\n", ended.stderr)
    assert said, ended.stderr
    try:
        assert ended.returncode == 0
        (call,) = viewer.get("/api/calls")["calls"]
        assert (call["outcome"], call["attempts"], call["model"]) == ("recovered_retry", 2, "gpt-4o")
        assert call["service"] == Path(PROGRAMS).stem
        detail = viewer.get(f"/api/calls/{call['trace_id']}/{call['span_id']}")
        assert detail["timeline"] is not None
    finally:
        end(viewer, int(said[1]))
    assert (next(tmp_path.rglob("view.log"))).read_text().startswith("l0 view at")


@pytest.mark.parametrize("name", ["multiprocessing spawn", "multiprocessing fork"])
def test_viewer_that_runs_is_used(sim: Simulator, viewer: ViewerClient, name: str) -> None:
    before = viewer.get("/api/calls")["total"]
    elsewhere = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}
    ended = run("--view-port", str(viewer.port), *SCRIPTS[name], sim=sim, **elsewhere)
    assert (ended.returncode, ended.stderr) == (0, f"l0 run: calls are shown at {viewer.origin}\n")
    page = viewer.get("/api/calls")
    assert (page["total"], page["calls"][0]["outcome"]) == (before + 1, "recovered_retry")


@pytest.mark.parametrize("by", ["option", "variable"])
def test_viewer_that_runs_finds_the_recordings_by_itself(sim: Simulator, tmp_path: Path, by: str) -> None:
    folders = RecordingFolders(folders_file=tmp_path / "state" / "l0" / "recordings")
    options = ["--record", str(tmp_path / "runs")] if by == "option" else []
    variables = {"L0_RECORD": str(tmp_path / "runs")} if by == "variable" else {}
    with running_viewer(tmp_path / "view.db", recordings=folders) as viewer:
        where = ["--view-port", str(viewer.port), *options]
        ended = run(*where, PROGRAMS, sim=sim, XDG_STATE_HOME=str(tmp_path / "state"), **variables)
        assert (ended.returncode, ended.stderr) == (0, f"l0 run: calls are shown at {viewer.origin}\n")
        (call,) = viewer.get("/api/calls")["calls"]
        found = viewer.get(f"/api/calls/{call['trace_id']}/{call['span_id']}/recording")
    assert found["folders"] == [str(tmp_path / "runs")]
    assert (found["call"]["outcome"], len(found["call"]["attempts"])) == ("recovered_retry", 2)


def test_list_of_recordings_that_cannot_be_written(sim: Simulator, viewer: ViewerClient, tmp_path: Path) -> None:
    (tmp_path / "l0").write_text("a file where the folder should be")
    where = ["--view-port", str(viewer.port), "--record", str(tmp_path / "runs")]
    ended = run(*where, PROGRAMS, sim=sim, XDG_STATE_HOME=str(tmp_path))
    assert ended.returncode == 0
    assert f"recorded calls are shown by: l0 view --recordings {tmp_path / 'runs'}" in ended.stderr


def test_another_program_on_the_port(sim: Simulator) -> None:
    port = sim.openai.rpartition(":")[2].partition("/")[0]
    ended = run("--view-port", port, PROGRAMS, sim=sim)
    assert ended.returncode == 2
    assert ended.stderr.startswith("l0 run: --view: ")
    assert ended.stderr.endswith("; name another port with --view-port\n")


def test_viewer_that_cannot_start(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "l0").mkdir()
    (tmp_path / "l0" / "view.db").write_text("not a database" * 100)
    ended = run("--view-port", str(free_port()), PROGRAMS, sim=sim, XDG_STATE_HOME=str(tmp_path))
    assert ended.returncode == 2
    assert ended.stderr.startswith("l0 run: --view: l0 view did not start: ")
    assert "view.db" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_only_one_address(sim: Simulator) -> None:
    ended = run("--view", "--otlp", "http://127.0.0.1:4318", PROGRAMS, sim=sim)
    assert ended.returncode == 2
    assert "--otlp: got 'http://127.0.0.1:4318' beside --view, allowed: one of them" in ended.stderr


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(InputError, match=re.escape("pip install 'l0-otel[viewer,otlp]' (no uvicorn)")):
        viewer_for_run(free_port())
