"""Secrets leave a recording, and sizes stay."""

import json
import tracemalloc
from hashlib import sha256

import pytest

from l0.recording.recorded_request import described_body, json_hash, shape
from l0.recording.redaction import REMOVED, Redaction

KEY = "sk-proj-CANARYCANARY1234"
TOKEN = "canary.opaque.token.value"


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        f"Bearer {TOKEN}",
        f"https://user:{TOKEN}@host/v1",
        f"GET /v1/x?api-version=1&api-key={TOKEN}&q=2",
        f"https://host/?X-Amz-Signature={TOKEN}",
        "AIzaSyCANARYCANARYCANARYCANARYCANARY12 canary",
    ],
)
def test_forms_of_secrets_are_masked_in_place(text: str) -> None:
    masked = Redaction().text(text)
    assert len(masked) == len(text)
    assert TOKEN not in masked
    assert "CANARY" not in masked


def test_ordinary_text_is_unchanged() -> None:
    text = (
        "GET /v1/chat?api-version=2024-06-01 ask-me-anything max_tokens=5 author=me https://host/a@b xai-responses-v1"
    )
    assert Redaction().text(text) == text


@pytest.mark.parametrize(
    ("header", "url"),
    [
        (("authorization", f"Bearer {TOKEN}"), "https://host/"),
        (("x-api-key", TOKEN), "https://host/"),
        (("cookie", f"a=1; session={TOKEN}"), "https://host/"),
        (("x-amz-security-token", TOKEN), "https://host/"),
        (("accept", "*/*"), f"https://host/?key={TOKEN}"),
        (("accept", "*/*"), f"https://me:{TOKEN}@host/"),
    ],
)
def test_a_value_from_a_secret_place_is_masked_wherever_it_is_repeated(header: tuple[str, str], url: str) -> None:
    redaction = Redaction()
    redaction.learn([header], url)
    assert TOKEN not in redaction.text(f"you sent {TOKEN}")
    assert TOKEN not in json.dumps(redaction.sent_headers([header]))
    assert TOKEN not in redaction.path(url)


def test_a_secret_that_spans_two_reads_is_masked_and_the_sizes_stay() -> None:
    redaction = Redaction()
    redaction.learn([("x-api-key", TOKEN)], "https://host/")
    parts = [b"data: " + TOKEN[:9].encode(), TOKEN[9:].encode() + b" end\n", b"", b"more"]
    masked = redaction.reads(parts)
    assert [len(part) for part in masked] == [len(part) for part in parts]
    assert TOKEN.encode() not in b"".join(masked)
    assert masked[3] == b"more"


def test_reads_without_secrets_are_the_same_bytes() -> None:
    parts = [bytes(range(256)), "ü".encode()[:1]]
    assert Redaction().reads(parts) == parts
    assert Redaction(more=lambda text: text).lines(parts) == parts


def test_the_users_function_removes_more() -> None:
    redaction = Redaction(more=lambda text: text.replace("Maria", "M"))
    assert redaction.text("Maria asks") == "M asks"
    assert redaction.lines([b"Maria \xff"]) == [b"M \xff"]


IMAGE = "A1b2" * 2_048
LIKE_KEYS = f"{IMAGE}+AIza{'x' * 40}/AKIAABCDEFGHIJKLMNOP/-eyJ{IMAGE}//sk-{'a1' * 10}+{IMAGE}=="


def test_data_that_looks_like_keys_is_unchanged() -> None:
    redaction = Redaction()
    redaction.learn([("authorization", f"Bearer {TOKEN}")], "http://host/")
    assert redaction.text(f"data:image/png;base64,{LIKE_KEYS}") == f"data:image/png;base64,{LIKE_KEYS}"
    read = [LIKE_KEYS[:5_000].encode(), LIKE_KEYS[5_000:].encode()]
    assert redaction.reads(read) == read


def test_secrets_beside_and_in_data_are_masked() -> None:
    redaction = Redaction()
    redaction.learn([("authorization", "Bearer plainsecretvalue")], "http://host/")
    text = f'{{"{KEY}": "{IMAGE}plainsecretvalue{IMAGE}", "again": "{KEY}", "to": "Bearer {TOKEN}"}}'
    masked = text.replace(KEY, "*" * len(KEY)).replace(TOKEN, "*" * len(TOKEN)).replace("plainsecretvalue", "*" * 16)
    assert redaction.text(text) == masked
    assert b"".join(redaction.reads([text[:9_000].encode(), text[9_000:].encode()])) == masked.encode()


def test_headers_keep_names_and_known_values() -> None:
    redaction = Redaction()
    sent = [("content-type", "application/json"), ("x-customer", "Maria"), ("x-stainless-lang", "python")]
    kept = [["content-type", "application/json"], ["x-customer", REMOVED], ["x-stainless-lang", "python"]]
    assert redaction.sent_headers(sent) == kept
    received = [("retry-after", "2"), ("set-cookie", "a=b"), ("x-ratelimit-remaining-tokens", "9")]
    kept = [["retry-after", "2"], ["set-cookie", REMOVED], ["x-ratelimit-remaining-tokens", "9"]]
    assert redaction.received_headers(received) == kept


BODY = {
    "model": "gpt-4o",
    "stream": True,
    "max_tokens": 50,
    "messages": [
        {"role": "system", "content": "prompt-text"},
        {"role": "user", "content": [{"type": "text", "text": "prompt-text"}, {"type": "image_url", "image_url": "x"}]},
        {"role": "tool", "tool_call_id": "c", "content": "tool-result-text"},
    ],
    "tools": [{"type": "function", "function": {"name": "find", "description": "tool-text", "parameters": {}}}],
    "metadata": {"customer": "customer-text"},
    "stream_options": {"include_usage": True},
    "user": "user-text",
    "stop": ["stop-text"],
}


def test_the_shape_of_a_body_holds_parameters_roles_sizes_and_no_text() -> None:
    found = shape(BODY)
    assert "-text" not in json.dumps(found)
    assert (found["model"], found["stream"], found["max_tokens"]) == ("gpt-4o", True, 50)
    assert [message["role"] for message in found["messages"]] == ["system", "user", "tool"]
    assert found["messages"][1]["parts"] == ["text", "image_url"]
    assert found["tools"][0]["name"] == "find"
    assert found["stream_options"] == {"include_usage": True}
    assert all(message["bytes"] > 0 and len(message["sha256"]) == 64 for message in found["messages"])


def test_the_shape_of_a_body_holds_names_of_tools_only() -> None:
    find = {"type": "function", "function": {"name": "find"}}
    form = {"type": "json_schema", "json_schema": {"name": "form", "schema": {"type": "object", "title": "a-person"}}}
    found = shape(
        {
            "messages": [
                {"role": "user", "name": "a-person", "content": "x"},
                {"role": "function", "name": "find", "content": "x"},
            ],
            "input": [{"type": "function_call", "name": "find", "arguments": "{}"}],
            "tool_choice": find,
            "response_format": form,
            "reasoning": {"effort": "low", "summary": "auto"},
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "metadata": {"name": "a-person", "type": "a-person", "phone": 5550123},
            "extra": {"name": "a-person", "type": "a-person", "summary": "a-person", "top_k": 3},
            "name": "a-person",
        }
    )
    assert "a-person" not in json.dumps(found)
    assert "5550123" not in json.dumps(found)
    assert [message.get("name") for message in found["messages"]] == [None, "find"]
    assert found["input"][0]["name"] == "find"
    assert found["tool_choice"] == find
    assert found["response_format"]["type"] == "json_schema"
    assert found["response_format"]["json_schema"]["name"] == "form"
    assert found["reasoning"] == {"effort": "low", "summary": "auto"}
    assert found["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert found["extra"]["top_k"] == 3


def test_a_body_is_kept_only_if_asked_for_and_hashed_in_any_order_of_its_keys() -> None:
    encoded = json.dumps(BODY | {"api_key": TOKEN, "note": f"use {KEY}"}).encode()
    without = described_body(encoded, Redaction(), content=False)
    kept = described_body(encoded, Redaction(), content=True)
    assert "body" not in without
    assert kept["body"]["messages"] == BODY["messages"]
    assert TOKEN not in json.dumps(kept) + json.dumps(without)
    assert KEY not in json.dumps(kept)
    assert kept["bytes"] == without["bytes"] == len(encoded)
    assert json_hash({"a": 1, "b": 2}) == json_hash({"b": 2, "a": 1})


def test_media_are_described_with_and_without_content() -> None:
    data = {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    link = {"type": "url", "url": "https://host.example/private.png"}
    parts = [{"type": "image", "source": data}, {"type": "tool_result", "content": [{"type": "image", "source": link}]}]
    encoded = json.dumps({"messages": [{"role": "user", "content": parts}]}).encode()
    for content in (True, False):
        found = described_body(encoded, Redaction(), content=content)["media"]
        assert found == [
            {"kind": "image", "mime_type": "image/png", "bytes": 3, "sha256": sha256(b"ABC").hexdigest()},
            {"kind": "image"},
        ]
    assert "media" not in described_body(json.dumps(BODY | {"messages": []}).encode(), Redaction(), content=True)


def test_a_large_body_is_held_a_few_times_at_most() -> None:
    body = json.dumps({"messages": [{"role": "user", "content": [{"type": "input_audio", "data": "A1b2" * 500_000}]}]})
    encoded = body.encode()
    for content in (True, False):
        tracemalloc.start()
        described_body(encoded, Redaction(), content=content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * len(encoded)


@pytest.mark.parametrize("body", [None, b"", b"\xff\x00 no json", b'{"a": ' + b"[" * 100_000])
def test_a_body_that_is_not_json_is_measured(body: bytes | None) -> None:
    described = described_body(body, Redaction(), content=True)
    assert described["bytes"] == (None if body is None else len(body))
    json.dumps(described)
