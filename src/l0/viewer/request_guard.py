"""Keep other web sites out: check `Host`, `Origin` and the fetch metadata of requests, and send a strict policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import PlainTextResponse

from l0.wire.host_check import serves

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

LOOPBACK = "127.0.0.1"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_DATA = ("/api/", "/v1/")


class RequestGuard:
    """An ASGI application in front of another one."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if "status" in message:
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                # The files of the page are asked for again each time, so that they are never older than the program.
                added.append((b"cache-control", b"no-store" if scope["path"].startswith(_DATA) else b"no-cache"))
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        reason = refusal(headers, scope["method"], scope["path"])
        if reason is None:
            await self._app(scope, receive, send_guarded)
            return
        status, text = reason
        await PlainTextResponse(text, status)(scope, receive, send_guarded)


def refusal(headers: MutableMapping[str, str], method: str, path: str) -> tuple[int, str] | None:
    """Return the status and the reason if the request may come from another web site, else ``None``.

    A link on another site may open the page; its scripts, forms and frames may reach nothing.
    """
    host = headers.get("host")
    if not serves(host, LOOPBACK):
        return 421, "l0 view answers only at 127.0.0.1, localhost and [::1]\n"
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{host}".lower():
        return 403, "l0 view answers no other web site\n"
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return None
    opens_page = headers.get("sec-fetch-mode") == "navigate" and method == "GET" and not path.startswith(_DATA)
    return None if opens_page else (403, "l0 view answers no other web site\n")
