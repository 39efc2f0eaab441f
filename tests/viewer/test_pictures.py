"""The pictures of the README and docs/viewer.md, and the check that they show the page as it is.

    PICTURES=1 make test-viewer

makes them again.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from sample_calls import EVENTFUL, send_sample
from viewer_client import ViewerClient, running_viewer

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
MARK = IMAGES / "viewer.sha256"
PAGES = {
    "overview": ("", "light", "table.models"),
    "calls": ("#/calls", "light", "tbody tr"),
    "call": (f"#/calls/{EVENTFUL:032x}/{EVENTFUL:016x}", "dark", ".waterfall"),
}
MOST_BYTES = 200_000


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewerClient]:
    with running_viewer(tmp_path_factory.mktemp("viewer") / "view.db") as client:
        send_sample(client)
        yield client


@pytest.mark.parametrize("name", PAGES)
def test_picture(page: Page, filled: ViewerClient, tmp_path: Path, name: str) -> None:
    place, scheme, shown = PAGES[name]
    media: Any = {"color_scheme": scheme, "reduced_motion": "reduce"}
    page.emulate_media(**media)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{filled.origin}/{place}")
    page.locator(shown).first.wait_for()
    page.get_by_text("Live", exact=True).wait_for()
    folder = IMAGES if os.environ.get("PICTURES") else tmp_path
    page.screenshot(path=folder / f"viewer-{name}.png")
    assert 10_000 < (folder / f"viewer-{name}.png").stat().st_size < MOST_BYTES


def test_pictures_are_fresh() -> None:
    if os.environ.get("PICTURES"):
        MARK.write_text(sources() + "\n")
    assert MARK.read_text().strip() == sources(), "make them again: PICTURES=1 make test-viewer"
    assert {image.name for image in IMAGES.glob("viewer-*.png")} == {f"viewer-{name}.png" for name in PAGES}


def sources() -> str:
    """Return a hash of the files on which the pictures depend."""
    static = ROOT / "src" / "l0" / "viewer" / "static"
    files = [*sorted(file for file in static.rglob("*") if file.is_file()), Path(__file__).with_name("sample_calls.py")]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
