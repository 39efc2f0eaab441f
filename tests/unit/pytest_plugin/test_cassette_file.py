"""Cassettes are readable text and come back as they were."""

import json
from pathlib import Path

import pytest

from l0.pytest_plugin.cassette_entry import CassetteAnswer, CassetteEntry, CassetteRequest
from l0.pytest_plugin.cassette_file import CassetteFileError, load, save

ENTRIES = [
    CassetteEntry(
        CassetteRequest("POST", "https://h/v1?a=1", {"json": {"text": "ü\ud800\u2028\n", "n": [1, None, True]}}),
        CassetteAnswer(
            status=200,
            headers=(("a", "1"), ("a", "2")),
            head_ms=1.5,
            reads=((2.0, b"data: \xc3\xbc\n\n" + b"x" * 300), (3.5, b"\xc3"), (4.0, b"")),
            end="closed",
            end_ms=5.0,
        ),
    ),
    CassetteEntry(
        CassetteRequest("GET", "https://h/", None),
        CassetteAnswer(end="error", end_ms=0.1, error=({"type": "httpx.ConnectError", "message": "no", "errno": 111},)),
    ),
]


def test_entries_come_back(tmp_path: Path) -> None:
    save(tmp_path / "a" / "b.json", ENTRIES)
    assert load(tmp_path / "a" / "b.json") == ENTRIES
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["b.json"]


def test_every_read_is_one_line_of_text(tmp_path: Path) -> None:
    save(tmp_path / "b.json", ENTRIES)
    text = (tmp_path / "b.json").read_text(encoding="utf-8")
    json.loads(text)
    assert '        [3.5, {"base64": "ww=="}],\n' in text
    assert any(line.strip().startswith('[2.0, "data: ü') and line.endswith('x"],') for line in text.splitlines())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"l0_cassette": 1, "recordings": [{}]}', "\x00"])
def test_other_file_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(CassetteFileError, match=r"b\.json is not a cassette"):
        load(tmp_path / "b.json")


def test_other_format_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"l0_cassette": 9}')
    with pytest.raises(CassetteFileError, match="has format 9, this L0 reads 1"):
        load(tmp_path / "b.json")
