"""The files of the page: all are loaded at once, none is missing, none names another host or sets markup."""

import re
from pathlib import Path

import pytest

from l0.viewer.viewer_app import STATIC

PAGE = (STATIC / "index.html").read_text("utf-8")
MODULES = sorted(file.relative_to(STATIC).as_posix() for file in STATIC.rglob("*.js") if file.name != "theme_start.js")
OWN = sorted(file for file in STATIC.glob("*.*") if file.suffix in (".js", ".css", ".html"))
MARKUP = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser")


def test_every_module_is_loaded_with_the_page() -> None:
    """A module that only another one names is asked for one round trip later."""
    loaded = re.findall(r'<(?:link rel="modulepreload" href|script type="module" src)="([^"]+)"', PAGE)
    assert sorted(loaded) == MODULES


def test_everything_that_the_page_names_is_there() -> None:
    named = re.findall(r'(?:href|src)="([^"#]+)"', PAGE)
    assert named
    assert [name for name in named if not (STATIC / name).is_file()] == []


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.name)
def test_no_other_host_and_no_markup(file: Path) -> None:
    text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"(?:https?:)?//\w[\w.-]*\.\w+[^\s\"']*", re.sub(r"// .*", "", text)) == []
    assert [word for word in MARKUP if word in text] == []
    assert not re.search(r"\s(?:on\w+|style)=\"", text), "the policy forbids inline code and styles"


def test_vendored_library_names_its_version_and_keeps_its_licence() -> None:
    folder = STATIC / "vendor" / "uplot"
    (version,) = set(re.findall(r"\(v([\d.]+)\)", (folder / "uPlot.esm.js").read_text("utf-8")))
    assert f"# uPlot {version}\n" in (folder / "README.md").read_text("utf-8")
    assert "MIT License" in (folder / "LICENSE").read_text("utf-8")
