"""`l0.policy` in Starlette and FastAPI: it applies to the block that entered it, and to no other request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import StreamingResponse
from starlette.routing import Route

import l0
from l0.config import CONFIG
from l0.shared_state.late_settings import LATE_SETTINGS

LIMIT = l0.Timeout(total=4321)


@pytest.fixture(autouse=True)
def _instrumented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LATE_SETTINGS, "instrumented", {"sdk"})  # else blocks without a call warn


def limit() -> str:
    """The limit of the policy that applies here; "-" for none."""
    timeout = CONFIG.policy().timeout
    return "-" if timeout is None else str(timeout.total)


def texts() -> Iterator[str]:
    with l0.policy(timeout=LIMIT):
        for _ in range(3):
            yield limit()


async def atexts() -> AsyncIterator[str]:
    with l0.policy(timeout=LIMIT):
        for _ in range(3):
            await asyncio.sleep(0)
            yield limit()


async def send(app: Any, path: str, *, until: int | None = None) -> list[str]:
    """Send one request, and return the parts of the answer. `until`: how many of them, before the client leaves.

    The request runs in the task of this function, so that what it leaves behind is seen.
    """
    parts: list[str] = []
    left = asyncio.Event()
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def got(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        elif message["body"]:
            parts.append(message["body"].decode())
            if len(parts) == until:
                left.set()
                await asyncio.sleep(0.01)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.1"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "server": ("localhost", 80),
        "client": ("localhost", 1),
        "state": {},
    }
    await app(scope, receive, got)
    assert limit() == "-"
    return parts


def starlette(body: Callable[[], Any], background: BackgroundTask | None = None) -> Starlette:
    async def endpoint(_: Any) -> StreamingResponse:
        return StreamingResponse(body(), background=background)

    return Starlette(routes=[Route("/", endpoint)])


@pytest.mark.parametrize("body", [texts, atexts], ids=["sync", "async"])
def test_body_of_a_streaming_response(body: Callable[[], Any]) -> None:
    """A synchronous generator runs in a new context at each step."""
    after: list[str] = []
    app = starlette(body, BackgroundTask(lambda: after.append(limit())))
    assert asyncio.run(send(app, "/")) == [str(LIMIT.total)] * 3
    assert after == ["-"]


@pytest.mark.parametrize("body", [texts, atexts], ids=["sync", "async"])
def test_client_that_leaves(body: Callable[[], Any]) -> None:
    async def main() -> None:
        app = starlette(body)
        assert (await send(app, "/", until=1))[0] == str(LIMIT.total)
        assert limit() == "-"
        assert await send(app, "/") == [str(LIMIT.total)] * 3

    asyncio.run(main())


def test_policy_of_an_endpoint_ends_before_the_body() -> None:
    async def body() -> AsyncIterator[str]:
        yield limit()

    async def endpoint(_: Any) -> StreamingResponse:
        with l0.policy(timeout=LIMIT):
            return StreamingResponse(body())

    assert asyncio.run(send(Starlette(routes=[Route("/", endpoint)]), "/")) == ["-"]


async def adependency() -> AsyncIterator[str]:
    with l0.policy(timeout=LIMIT):
        yield limit()


def dependency() -> Iterator[str]:
    with l0.policy(timeout=LIMIT):
        yield limit()


def fastapi() -> FastAPI:
    app = FastAPI()
    outside = Depends(adependency)

    @app.get("/async")
    async def endpoint(given: Annotated[str, outside]) -> list[str]:
        return [given, limit()]

    @app.get("/thread")
    def in_thread(given: Annotated[str, outside]) -> list[str]:
        return [given, limit()]

    @app.get("/sync-dependency")
    async def sync_dependency(given: Annotated[str, Depends(dependency)]) -> list[str]:
        return [given, limit()]

    @app.get("/body")
    async def body(given: Annotated[str, outside]) -> StreamingResponse:
        assert (given, limit()) == (str(LIMIT.total),) * 2
        return StreamingResponse(atexts())

    @app.get("/background")
    async def background(given: Annotated[str, outside], tasks: BackgroundTasks) -> list[str]:
        tasks.add_task(limit)
        return [given, limit()]

    @app.get("/none")
    async def none() -> list[str]:
        return [limit()]

    return app


@pytest.mark.parametrize("path", ["/async", "/thread", "/background"])
def test_asynchronous_yield_dependency(path: str) -> None:
    async def main() -> None:
        app = fastapi()
        assert await send(app, path) == [f'["{LIMIT.total}","{LIMIT.total}"]']
        assert await send(app, "/none") == ['["-"]']

    asyncio.run(main())


def test_synchronous_yield_dependency_is_entered_in_a_thread() -> None:
    """FastAPI copies the context for it, so that its policy cannot reach the endpoint."""

    async def main() -> None:
        app = fastapi()
        assert await send(app, "/sync-dependency") == [f'["{LIMIT.total}","-"]']
        assert await send(app, "/none") == ['["-"]']

    asyncio.run(main())


def test_body_after_a_yield_dependency() -> None:
    async def main() -> None:
        app = fastapi()
        assert await send(app, "/body") == [str(LIMIT.total)] * 3
        assert (await send(app, "/body", until=1))[0] == str(LIMIT.total)
        assert await send(app, "/none") == ['["-"]']

    asyncio.run(main())


def test_many_requests_at_once() -> None:
    async def main() -> None:
        app = fastapi()
        paths = ["/async", "/none", "/thread", "/body", "/sync-dependency"] * 8
        for path, parts in zip(paths, await asyncio.gather(*(send(app, path) for path in paths)), strict=True):
            assert parts == await send(app, path)

    asyncio.run(main())


@pytest.mark.parametrize("kind", [Starlette, FastAPI])
def test_policy_of_a_lifespan_ends_with_it(kind: Any) -> None:
    """Servers run the lifespan in its own task."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        with l0.policy(timeout=LIMIT):
            yield

    async def main() -> None:
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
        answers: list[str] = []

        async def receive() -> dict[str, str]:
            return next(messages)

        async def got(message: dict[str, str]) -> None:
            answers.append(message["type"])

        app = kind(lifespan=lifespan)
        await asyncio.create_task(app({"type": "lifespan", "state": {}, "asgi": {}, "app": app}, receive, got))
        assert answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert limit() == "-"

    asyncio.run(main())
