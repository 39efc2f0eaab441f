"""`l0 top` beside a real viewer: once into a pipe, live in a terminal, and without a viewer."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from viewer_client import HANGS, ViewerClient, call, running_viewer

from l0.cli.main import main

if sys.platform == "win32":
    pytest.skip("a pseudo-terminal needs POSIX: run this file on Linux or macOS", allow_module_level=True)

import pty
import termios

ALTERNATE_SCREEN, MAIN_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
IN_FRONT = (
    "import fcntl, runpy, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); runpy.run_module('l0', run_name='__main__')"
)
"""Makes the terminal on stdin the one that sends Ctrl-C, as a shell does, then runs the command."""
COLOUR = re.compile(rb"\x1b\[[0-9;]*3[0-7][0-9;]*m")


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewerClient]:
    with running_viewer(tmp_path_factory.mktemp("viewer") / "view.db") as running:
        recovered = {"l0.outcome": "recovered_retry", "l0.attempts": 2, "l0.retry.causes": ["reset"]}
        running.send(call(1), call(2, recovered, at=5_000), call(3, {"gen_ai.request.model": "o3"}, at=9_000))
        yield running


class Terminal:
    """`l0 top` in a pseudo-terminal of 80 columns and 24 rows."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.screen = b""
        self._main, self.own = pty.openpty()
        termios.tcsetwinsize(self.own, (24, 80))
        self.before = termios.tcgetattr(self.own)
        usual = {"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
        known = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_FRONT, "top", "--interval", "0.1", *arguments],
            start_new_session=True,
            stdin=self.own,
            stdout=self.own,
            stderr=subprocess.PIPE,
            env=known | usual | environment,
        )
        self._arrived = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                received = os.read(self._main, 65_536)
            except OSError:
                return
            with self._arrived:
                self.screen += received
                self._arrived.notify_all()

    def wait_for(self, text: bytes, begin: int = 0) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: text in self.screen[begin:], HANGS), self.screen[-3_000:]

    def press(self, key: bytes) -> None:
        os.write(self._main, key)

    def end(self) -> int:
        try:
            _, errors = self.process.communicate(timeout=HANGS)
            assert errors == b""
            assert termios.tcgetattr(self.own) == self.before
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self.own)
        return self.process.returncode


def test_one_table_in_a_pipe(viewer: ViewerClient) -> None:
    command = [sys.executable, "-m", "l0", "top", "--port", str(viewer.port)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=HANGS, check=False, encoding="utf-8")
    assert (ended.returncode, ended.stderr) == (0, "")
    heading, calls, *_ = lines = ended.stdout.splitlines()
    assert heading.startswith(f"l0 top  {viewer.origin}  ")
    assert calls == "calls      3: 3 succeeded (1 recovered), 0 failed, 0 cancelled"
    assert [line.split()[:3] for line in lines if line.startswith("openai")] == [
        ["openai", "gpt-4o", "2"],
        ["openai", "o3", "1"],
    ]
    assert "causes     reset 1" in lines
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in ended.stdout


def test_filters(viewer: ViewerClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--port", str(viewer.port), "--model", "o3"]) == 0
    heading, calls, *_ = capsys.readouterr().out.splitlines()
    assert (heading.split()[-1], calls[:14]) == ("o3", "calls      1: ")
    assert main(["top", "--port", str(viewer.port), "--minutes", "0.01"]) == 0
    assert "last 0.01 minutes" in capsys.readouterr().out


def test_output_that_cannot_encode_the_bars(viewer: ViewerClient) -> None:
    command = [sys.executable, "-m", "l0", "top", "--once", "--port", str(viewer.port)]
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    ended = subprocess.run(command, capture_output=True, timeout=HANGS, check=False, env=environment)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("end", [b"q", b"Q", b"\x03", b"SIGINT"])
def test_live_until_it_is_ended(viewer: ViewerClient, end: bytes) -> None:
    terminal = Terminal("--port", str(viewer.port))
    try:
        terminal.wait_for(b"q ends")
        assert ALTERNATE_SCREEN in terminal.screen
        assert COLOUR.search(terminal.screen)
    finally:
        if end == b"SIGINT":
            terminal.process.send_signal(signal.SIGINT)
        else:
            terminal.press(end)
        code = terminal.end()
    assert code == 0
    terminal.wait_for(MAIN_SCREEN)


def test_new_calls_appear(tmp_path: Path) -> None:
    with running_viewer(tmp_path / "view.db") as running:
        terminal = Terminal("--port", str(running.port))
        terminal.wait_for(b"no calls")
        running.send(call(1))
        terminal.wait_for(b"openai gpt-4o")
        terminal.press(b"q")
        assert terminal.end() == 0


def test_no_colour(viewer: ViewerClient) -> None:
    terminal = Terminal("--port", str(viewer.port), NO_COLOR="1")
    terminal.wait_for(b"q ends")
    terminal.press(b"q")
    assert terminal.end() == 0
    assert not COLOUR.search(terminal.screen)


def test_dumb_terminal_gets_one_table(viewer: ViewerClient) -> None:
    terminal = Terminal("--port", str(viewer.port), TERM="dumb")
    assert terminal.end() == 0
    terminal.wait_for(b"causes     reset 1")
    assert b"\x1b" not in terminal.screen


def test_viewer_that_ends_meanwhile(tmp_path: Path) -> None:
    with running_viewer(tmp_path / "view.db") as running:
        running.send(call(1))
        terminal = Terminal("--port", str(running.port))
        terminal.wait_for(b"q ends")
    terminal.wait_for(b"nothing listens at")
    begin = len(terminal.screen)
    terminal.wait_for(b"openai gpt-4o", begin)  # the last overview stays
    terminal.press(b"q")
    assert terminal.end() == 0


def test_no_viewer(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert main(["top", "--port", str(port)]) == 2
    expected = f"nothing listens at http://127.0.0.1:{port}; start the viewer with: l0 view --port {port}"
    assert capsys.readouterr().err == f"l0 top: {expected}\n"


@pytest.mark.parametrize("answer", [b"{}", b'["l0 view"]', b"not JSON"])
def test_another_program_on_the_port(capsys: pytest.CaptureFixture[str], answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_once, args=(server, answer))
        thread.start()
        assert main(["top", "--port", str(server.getsockname()[1])]) == 2
        thread.join(HANGS)
    assert "a program other than l0 view listens at" in capsys.readouterr().err


def answer_once(server: socket.socket, body: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


@pytest.mark.parametrize(
    ("option", "value"), [("--port", "0"), ("--interval", "0"), ("--minutes", "-1"), ("--minutes", "nan")]
)
def test_invalid_option_is_named(capsys: pytest.CaptureFixture[str], option: str, value: str) -> None:
    assert main(["top", option, value]) == 2
    assert capsys.readouterr().err.startswith(f"l0 top: {option}: got ")
