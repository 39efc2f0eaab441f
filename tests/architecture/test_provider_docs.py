"""docs/providers.md has a row for every attribute of a provider's class, with its default."""

import re
from pathlib import Path

import pytest

from l0.stainless import openai_api_instrumentor, sdk_instrumentor
from l0.stainless.openai_api_instrumentor import OPERATIONS, OpenAiApiInstrumentor

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "providers.md").read_text("utf-8")
SECTION = PAGE.partition("### Attributes of the class\n")[2].partition("\n### ")[0]
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", SECTION, re.MULTILINE))


def test_every_attribute_has_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    for module in (sdk_instrumentor, openai_api_instrumentor):
        monkeypatch.setattr(module, "check_attribute", lambda _, name, *__: checked.append(name))
    OpenAiApiInstrumentor.check_attributes()
    assert list(ROWS) == checked


def test_defaults_are_those_of_the_class() -> None:
    assert ROWS.pop("distribution") == "`sdk_name`"
    for name, default in ROWS.items():
        own = getattr(OpenAiApiInstrumentor, name, ...)
        written = "required" if own is ... else f"`{own!r}`".replace("'", '"')
        assert default == written, name


def test_ends_of_paths_are_listed() -> None:
    sentence = PAGE.partition("The end of a path determines the API: ")[2].partition(".")[0]
    assert re.findall(r"`(\S+)`", sentence) == list(OPERATIONS)
