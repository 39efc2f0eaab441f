"""Bodies of requests as values."""

from typing import Any

import pytest

from l0.pytest_plugin.request_body import describe, redacted
from l0.recording.redaction import Redaction


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"", "", None),
        (b'{"a": [1]}', "application/json", {"json": {"a": [1]}}),
        ("ü".encode(), "text/plain", {"text": "ü"}),
        (b"[" * 100_000, "application/json", {"text": "[" * 100_000}),
    ],
)
def test_description(body: bytes, content_type: str, expected: object) -> None:
    assert describe(body, content_type) == expected


def test_bytes_are_hashed() -> None:
    described = describe(b"\xff" * 9, "audio/wav")
    assert described["bytes"] == 9
    assert len(described["sha256"]) == 64


@pytest.mark.parametrize("boundary", ["abc", "0123456789"])
def test_boundary_of_a_form_does_not_count(boundary: str) -> None:
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    body = (part % ("purpose", "x") + part % ("file", "\r\n\r\ny") + f"--{boundary}--\r\n").encode()
    described = describe(body, f"multipart/form-data; boundary={boundary}")
    assert [part["name"] for part in described["parts"]] == ["purpose", "file"]
    assert described["parts"][0]["text"] == "x"
    assert boundary not in str(described)


def uploaded(head: str, content: bytes) -> dict[str, Any]:
    body = f'--b\r\nContent-Disposition: form-data; name="file"{head}\r\n\r\n'.encode() + content + b"\r\n--b--\r\n"
    (part,) = describe(body, "multipart/form-data; boundary=b")["parts"]
    return dict(part)


def test_name_type_and_every_byte_of_a_file_count() -> None:
    head = '; filename="a.wav"\r\nContent-Type: audio/wav'
    assert uploaded(head, b"x") == {"name": "file", "filename": "a.wav", "type": "audio/wav", "text": "x"}
    assert uploaded('; filename="a;name=b.wav"', b"x")["name"] == "file"
    described = [uploaded(head, content) for content in (b"\xff", b"\xff\r\n", b"\r\n\xff", b"\xff\n")]
    assert len({one["sha256"] for one in described}) == 4
    assert [one["bytes"] for one in described] == [1, 3, 3, 2]


def test_secrets_leave_values_and_secret_fields() -> None:
    body = {"json": {"password": "short", "list": ["sk-proj-CANARYCANARY1234"], "n": 1}}
    clean = redacted(body, Redaction())
    assert clean["json"]["password"] == "[removed]"
    assert "CANARY" not in str(clean)
    assert clean["json"]["n"] == 1
