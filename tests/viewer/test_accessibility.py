"""axe-core finds nothing of weight in any view, light and dark; nor do the sizes and names that people rely on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sample_calls import EVENTFUL, send_sample
from viewer_client import START, ViewerClient, running_viewer

GRAVE = {"serious", "critical"}
VIEWS = {
    "overview": ("", "table.models"),
    # Every row costs axe time, and none is unlike the others.
    "calls": (f"#/calls?since={START + 1_750_000}", "tbody tr"),
    "filtered": ("#/calls?outcome=failed&q=o", "tbody tr"),
    "nothing": ("#/calls?q=nowhere", ".empty"),
    "call": (f"#/calls/{EVENTFUL:032x}/{EVENTFUL:016x}", ".waterfall"),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewerClient]:
    with running_viewer(tmp_path_factory.mktemp("viewer") / "view.db") as client:
        send_sample(client)
        yield client


def findings(page: Page, within: str | None = None) -> list[tuple[str, str, Any]]:
    """Return the serious findings. ``within``: check only the elements that this selector finds."""
    response = Axe().run(page, context=within).response
    assert response["passes"], "axe checked nothing"
    return [
        (one["impact"], one["id"], [node["html"][:120] for node in one["nodes"]])
        for one in response["violations"]
        if one["impact"] in GRAVE
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_views_have_no_serious_finding(page: Page, filled: ViewerClient, view: str, scheme: Any) -> None:
    place, shown = VIEWS[view]
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{filled.origin}/{place}")
    page.locator(shown).first.wait_for()
    if view == "overview":
        page.get_by_text("As a table").first.click()
        expect(page.locator(".chart tbody tr").first).to_be_visible()
    assert findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_empty_page_and_the_list_of_keys(page: Page, tmp_path: Path, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    with running_viewer(tmp_path / "view.db") as empty:
        page.goto(empty.origin)
        page.get_by_role("heading", name="Waiting for the first call").wait_for()
        assert findings(page) == []
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()
        assert findings(page) == []


def test_waterfall_is_a_list_that_says_everything(page: Page, filled: ViewerClient) -> None:
    page.goto(f"{filled.origin}/{VIEWS['call'][0]}")
    rows = page.locator(".waterfall").get_by_role("listitem")
    expect(rows.nth(2)).to_contain_text(
        "starts at 261 ms after 194 ms of backoff, cancelled: the other request was faster"
    )
    expect(page.get_by_role("img", name="Token flow")).to_be_visible()


def test_landmarks(page: Page, filled: ViewerClient) -> None:
    page.goto(filled.origin)
    page.locator("table.models").wait_for()
    for role in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    expect(page.get_by_role("navigation", name="Views")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
