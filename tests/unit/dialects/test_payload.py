"""Media in messages are read as payloads, from JSON and from SDK objects."""

import base64
from types import SimpleNamespace
from typing import Any

import pytest

from l0.dialects.payload import Payload, audio_payload, payloads_in, preview_payload

DATA = base64.b64encode(b"data").decode()
URL = "https://host.example/a.png"
PNG = f"data:image/png;base64,{DATA}"
CASES: list[tuple[dict[str, Any], Payload]] = [
    ({"type": "image_url", "image_url": {"url": PNG}}, Payload(kind="image", mime_type="image/png", base64=DATA)),
    ({"type": "image_url", "image_url": {"url": URL}}, Payload(kind="image", url=URL)),
    ({"type": "image_url", "image_url": URL}, Payload(kind="image", url=URL)),
    ({"type": "image", "url": URL}, Payload(kind="image", url=URL)),
    ({"type": "input_image", "image_url": PNG}, Payload(kind="image", mime_type="image/png", base64=DATA)),
    ({"type": "input_image", "file_id": "f1"}, Payload(kind="image", file_id="f1")),
    ({"type": "computer_screenshot", "image_url": URL}, Payload(kind="image", url=URL)),
    (
        {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}},
        Payload(kind="audio", mime_type="audio/wav", base64=DATA),
    ),
    (
        {"type": "file", "file": {"file_data": "data:text/csv;charset=utf-8;base64," + DATA, "filename": "a.csv"}},
        Payload(kind="file", mime_type="text/csv", base64=DATA, filename="a.csv"),
    ),
    ({"type": "file", "file": {"file_id": "f1"}}, Payload(kind="file", file_id="f1")),
    ({"type": "input_file", "file_data": DATA}, Payload(kind="file", base64=DATA)),
    ({"type": "input_file", "file_url": URL}, Payload(kind="file", url=URL)),
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": DATA}},
        Payload(kind="image", mime_type="image/gif", base64=DATA),
    ),
    ({"type": "document", "source": {"type": "url", "url": URL}}, Payload(kind="file", url=URL)),
    ({"type": "document", "source": {"type": "file", "file_id": "f1"}}, Payload(kind="file", file_id="f1")),
    (
        {"type": "image_generation_call", "result": DATA, "output_format": "webp"},
        Payload(kind="image", mime_type="image/webp", base64=DATA),
    ),
    (
        {"type": "container_file_citation", "file_id": "f1", "filename": "a.csv"},
        Payload(kind="file", file_id="f1", filename="a.csv"),
    ),
    ({"type": "bash_code_execution_output", "file_id": "f1"}, Payload(kind="file", file_id="f1")),
    (
        {"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}},
        Payload(kind="image", url="data:image/svg+xml,<svg/>"),
    ),
]


def as_object(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(inner) for name, inner in value.items()})
    return value


@pytest.mark.parametrize(
    ("part", "expected"), CASES, ids=lambda value: value.get("type") if isinstance(value, dict) else ""
)
def test_part_is_a_payload_at_any_depth(part: dict[str, Any], expected: Payload) -> None:
    for held in (part, as_object(part)):
        for item in (
            held,
            {"type": "tool_result", "content": [held]},
            SimpleNamespace(outputs=SimpleNamespace(content=held)),
        ):
            (found,) = payloads_in(item, 3)
            assert found.item is held
            assert found.index == 3
            for name in ("kind", "mime_type", "base64", "url", "file_id", "filename", "partial"):
                assert getattr(found, name) == getattr(expected, name)
            assert found.data == (None if expected.base64 is None else b"data")


@pytest.mark.parametrize(
    "item",
    [
        {"type": "web_search_call", "action": {"url": URL}},
        {"type": "document", "source": {"type": "text", "data": "text"}},
        {"type": "image_url", "image_url": None},
        {"type": "input_file"},
        {"type": "file_search_call", "results": [{"file_id": "f1"}]},
        {"type": ["image"], "source": 3},
        "image",
        None,
    ],
    ids=str,
)
def test_other_items_have_no_payload(item: Any) -> None:
    assert payloads_in(item) == []
    assert payloads_in(as_object(item)) == []


def test_data_is_decoded_with_and_without_padding_and_refused_if_it_is_not_base64() -> None:
    assert [Payload(kind="file", base64=one).data for one in ("YQ==", "YQ", "YWI")] == [b"a", b"a", b"ab"]
    with pytest.raises(ValueError, match=r"padding|number of data characters"):
        assert Payload(kind="file", base64="Y").data


def test_audio_without_data_and_a_preview_without_a_format_are_payloads() -> None:
    assert audio_payload({"id": "a"}, "", 0).data is None
    assert preview_payload({"partial_image_b64": DATA}, 2, 1).partial == 1


def test_nesting_without_end_is_read_to_a_limit() -> None:
    item: dict[str, Any] = {}
    item["type"], item["inner"] = "mcp_call", item
    assert payloads_in(item) == []
