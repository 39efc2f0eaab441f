"""The adapter of docs/providers.md for ollama's SDK, which L0 does not patch: its streams are checked and retried."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import l0

ollama = pytest.importorskip("ollama", reason="ollama is not installed here: make test-providers has it")
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")
CODE, LINES = re.search(r"For ollama it takes (\d+) lines:\n\n```python\n(.*?)```", PAGE, re.DOTALL).group(2, 1)  # type: ignore[union-attr]
WORDS = ("Salt ", "comes ", "from ", "rocks.")


def _line(**fields: Any) -> bytes:
    words = fields.pop("content", "")
    return json.dumps({"model": "m", "message": {"role": "assistant", "content": words}, **fields}).encode() + b"\n"


WHOLE = b"".join([*(_line(content=word, done=False) for word in WORDS), _line(done=True, done_reason="stop")])


@contextmanager
def serving(*bodies: bytes) -> Iterator[tuple[str, list[str]]]:
    """Serve these bodies in turn, each without a length. Yield the address, and the paths that were requested."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(bodies[len(paths)])
            paths.append(self.path)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", paths
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def adapter() -> Iterator[None]:
    exec(CODE, {})
    yield
    l0.migration.Adapters.unregister("ollama")


def _read(*bodies: bytes) -> tuple[str, list[str]]:
    async def read(origin: str) -> str:
        client = ollama.AsyncClient(origin)
        asked = [{"role": "user", "content": "hi"}]
        no_wait = l0.Retry(base_delay=0, max_delay=0)
        try:
            result = await l0.run(lambda: client.chat("m", asked, stream=True), retry=no_wait)
            text: str = await result.read()
        finally:
            await client._client.aclose()
        return text

    with serving(*bodies) as (origin, paths):
        return asyncio.run(read(origin)), paths


def test_page_counts_the_lines() -> None:
    assert len([line for line in CODE.splitlines() if line.strip()]) == int(LINES)


def test_answer_is_read() -> None:
    assert _read(WHOLE) == ("".join(WORDS), ["/api/chat"])


def test_answer_without_content_is_retried() -> None:
    text, paths = _read(b"", WHOLE)
    assert (text, len(paths)) == ("".join(WORDS), 2)


def test_cut_answer_is_an_error() -> None:
    with pytest.raises(l0.StreamInterrupted):
        _read(WHOLE[: WHOLE.index(b"from") - 20].rpartition(b"\n")[0] + b"\n")
