"""The server: loopback only, its page, live calls, and an end that waits for nobody."""

import asyncio
import http.client
import itertools
import json
import threading
from pathlib import Path

import pytest
from viewer_client import HANGS, ViewerClient, call, running_viewer

from l0.viewer.live_calls import MAX_CALLS, MAX_FEEDS, LiveCalls
from l0.viewer.viewer_app import STATIC
from l0.viewer.viewer_server import PortTakenError, ViewerConfig, ViewerServer

NUMBERS = itertools.count(1)


class Feed:
    """An open connection to the live feed."""

    def __init__(self, viewer: ViewerClient) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=HANGS)
        self._connection.request("GET", "/api/live")
        self._response = self._connection.getresponse()
        assert self._response.headers["content-type"].startswith("text/event-stream")
        assert self.line() == ": open"

    def line(self) -> str:
        """Return the next line that is not empty; an empty one at the end."""
        while line := self._response.readline():
            if line.strip():
                return line.decode().strip()
        return ""

    def calls(self) -> list[str]:
        message = json.loads(self.line().removeprefix("data: "))
        assert (message["type"], message["omitted"]) == ("calls", 0)
        return [one["span_id"] for one in message["calls"]]

    def close(self) -> None:
        self._response.close()
        self._connection.close()


def test_new_calls_arrive_live(viewer: ViewerClient) -> None:
    feed, other = Feed(viewer), Feed(viewer)
    first, second = next(NUMBERS), next(NUMBERS)
    viewer.send(call(first), call(second))
    expected = [f"{first:016x}", f"{second:016x}"]
    assert feed.calls() == other.calls() == expected
    other.close()
    viewer.send(call(first), call(third := next(NUMBERS)))  # the first one is known
    assert feed.calls() == [f"{third:016x}"]
    feed.close()


def test_feeds_are_limited(viewer: ViewerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LiveCalls, "full", True)
    assert viewer.request("GET", "/api/live").status == 503
    assert MAX_FEEDS < 100


def test_a_page_that_is_behind_gets_the_newest_calls() -> None:
    async def read() -> list[bytes]:
        live = LiveCalls(interval_seconds=0)
        messages = live.messages()
        assert await anext(messages) == b": open\n\n"
        live.publish([{"span_id": str(number)} for number in range(MAX_CALLS + 50)])  # type: ignore[typeddict-item]
        found = [await anext(messages)]
        live.close()
        found += [message async for message in messages]
        return found

    (message,) = asyncio.run(read())
    read_back = json.loads(message.removeprefix(b"data: "))
    assert (len(read_back["calls"]), read_back["omitted"]) == (MAX_CALLS, 50)
    assert read_back["calls"][-1]["span_id"] == str(MAX_CALLS + 49)


def test_open_feeds_do_not_delay_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l0.viewer.viewer_server._GRACE_SECONDS", 10 * HANGS)
    with running_viewer(tmp_path / "view.db") as viewer:
        feeds = [Feed(viewer) for _ in range(3)]
    assert [feed.line() for feed in feeds] == ["", "", ""]
    for feed in feeds:
        feed.close()


def test_page_is_served_with_its_types(viewer: ViewerClient) -> None:
    answer = viewer.request("GET", "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>l0 view</title>" in answer.body
    assert (STATIC / "index.html").read_bytes() == answer.body


def test_page_has_no_inline_code_and_no_other_host() -> None:
    for file in STATIC.rglob("*.html"):
        page = file.read_text()
        assert "<script>" not in page
        assert "<style" not in page
        assert " style=" not in page
        assert "://" not in page


def test_server_listens_on_loopback_only(tmp_path: Path) -> None:
    server = ViewerServer(ViewerConfig(port=0, database=tmp_path / "view.db"))
    assert server._socket.getsockname()[0] == "127.0.0.1"
    server.stop()
    server.run()  # ends at once


def test_taken_port(viewer: ViewerClient, tmp_path: Path) -> None:
    with pytest.raises(PortTakenError, match=f"port {viewer.port} cannot be opened"):
        ViewerServer(ViewerConfig(port=viewer.port, database=tmp_path / "view.db"))
    assert not (tmp_path / "view.db").exists()


def test_parallel_senders_and_readers(tmp_path: Path) -> None:
    with running_viewer(tmp_path / "view.db") as viewer:
        errors: list[BaseException] = []

        def work(first: int) -> None:
            try:
                for number in range(first, first + 20):
                    viewer.send(call(number))
                    viewer.get("/api/overview")
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(first,)) for first in (1, 101, 201, 301)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANGS)
        assert errors == []
        assert viewer.get("/api/calls")["total"] == 80
