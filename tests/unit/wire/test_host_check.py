"""Host headers that a server on loopback may answer."""

import pytest

from l0.wire import host_check


@pytest.mark.parametrize(
    ("header", "bound", "served"),
    [
        (None, "127.0.0.1", True),
        ("127.0.0.1:8080", "127.0.0.1", True),
        ("127.8.8.8", "127.0.0.1", True),
        ("[::1]:80", "127.0.0.1", True),
        ("localhost:1", "127.0.0.1", True),
        ("LOCALHOST.", "127.0.0.1", True),
        ("api.localhost", "127.0.0.1", True),
        ("evil.example", "127.0.0.1", False),
        ("127.0.0.1.evil.example", "127.0.0.1", False),
        ("localhost.evil.example:80", "::1", False),
        ("notlocalhost", "127.0.0.1", False),
        ("10.0.0.7", "127.0.0.1", False),
        ("[::1", "127.0.0.1", False),
        ("", "127.0.0.1", False),
        ("box.lan:80", "box.lan", True),
        ("10.0.0.7:80", "10.0.0.7", True),
        ("evil.example", "10.0.0.7", False),
        ("simulator:8080", "0.0.0.0", True),
        ("simulator:8080", "::", True),
    ],
)
def test_foreign_host_header_is_rejected(header: str | None, bound: str, served: bool) -> None:
    assert host_check.serves(header, bound) is served


@pytest.mark.parametrize(
    ("header", "served"),
    [
        ("box.lan", True),
        ("BOX.lan.:8080", True),
        ("api.box.lan", False),
        ("xbox.lan", False),
        ("evil.example", False),
        ("", False),
    ],
)
def test_host_names_are_allowed_by_name(header: str, served: bool) -> None:
    assert host_check.serves(header, "127.0.0.1", ("Box.lan", "")) is served
