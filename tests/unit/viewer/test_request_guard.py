"""Requests that another web site may have sent are refused, and every answer has a strict policy."""

import pytest
from viewer_client import ViewerClient

from l0.viewer.request_guard import POLICY

CROSS = {"sec-fetch-site": "cross-site"}
PAGE_LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4318", "10.0.0.7", "127.0.0.1.evil.example", ""])
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/api/calls"), ("POST", "/v1/traces")])
def test_foreign_host_is_refused(viewer: ViewerClient, method: str, path: str, host: str) -> None:
    assert viewer.request(method, path, b"{}" if method == "POST" else None, JSON | {"host": host}).status == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1", "[::1]:4318", "app.localhost"])
def test_loopback_host_is_served(viewer: ViewerClient, host: str) -> None:
    assert viewer.request("GET", "/api/facets", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1", "file://"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/api/live"), ("POST", "/v1/traces")])
def test_foreign_origin_is_refused(viewer: ViewerClient, method: str, path: str, origin: str) -> None:
    assert viewer.request(method, path, b"{}" if method == "POST" else None, JSON | {"origin": origin}).status == 403


def test_own_origin_is_served(viewer: ViewerClient) -> None:
    assert viewer.request("GET", "/api/facets", headers={"origin": viewer.origin}).status == 200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", PAGE_LINK, 200),  # a link to the page
        ("/api/calls", PAGE_LINK, 403),
        ("/", CROSS, 403),  # a script or a frame of another site
        ("/api/calls", {"sec-fetch-site": "same-site"}, 403),  # another port of this machine
        ("/api/calls", {"sec-fetch-site": "same-origin"}, 200),
        ("/api/calls", {"sec-fetch-site": "none"}, 200),  # typed by the user
    ],
)
def test_fetch_metadata(viewer: ViewerClient, path: str, headers: dict[str, str], status: int) -> None:
    assert viewer.request("GET", path, headers=headers).status == status


@pytest.mark.parametrize("path", ["/", "/api/calls", "/nothing", "/api/nothing"])
@pytest.mark.parametrize("host", ["127.0.0.1", "evil.example"])
def test_every_answer_has_the_policy(viewer: ViewerClient, path: str, host: str) -> None:
    headers = viewer.request("GET", path, headers={"host": host}).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert headers.get("cache-control") == ("no-store" if path.startswith("/api/") else "no-cache")


def test_policy_allows_no_other_host_and_no_inline_code() -> None:
    for directive in POLICY.split("; "):
        _, *sources = directive.split()
        assert set(sources) <= {"'self'", "'none'", "data:"}


@pytest.mark.parametrize("path", ["/../viewer_app.py", "/%2e%2e/viewer_app.py", "/..%2fviewer_app.py", "//etc/passwd"])
def test_only_static_files_are_served(viewer: ViewerClient, path: str) -> None:
    assert viewer.request("GET", path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_api_only_reads(viewer: ViewerClient, method: str) -> None:
    assert viewer.request(method, "/api/calls").status == 405
