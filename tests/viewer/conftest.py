"""The page of `l0 view` in a real Chromium: `make test-viewer`. Elsewhere nothing here is collected."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from viewer_client import ViewerClient, running_viewer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# pytest's importlib mode leaves these folders off the path
sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "examples")]

collect_ignore_glob = [] if find_spec("axe_playwright_python") else ["test_*.py"]
NEEDED = "no Chromium is installed (Debian: apt-get install chromium), or CHROMIUM does not name it"
ELSEWHERE = "viewer.example"
"""A name that the browser resolves to this machine, as a site that rebinds its name would have it."""

HANGS_MS = 60_000
"""The time that only a hang takes."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=HANGS_MS)
    chromium = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    if chromium is None and os.environ.get("CI"):
        pytest.fail(NEEDED)
    if chromium is None:
        pytest.skip(NEEDED)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=chromium, args=[f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"]
        )


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewerClient]:
    with running_viewer(tmp_path_factory.mktemp("viewer") / "view.db") as client:
        yield client


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without a past, in one time zone and of one size."""
    opened = browser.new_context(timezone_id="UTC", locale="en-GB", viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(HANGS_MS)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page. Errors, violations of the content policy, and requests to other hosts fail the test."""
    opened = context.new_page()
    problems: list[str] = []
    opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: problems.append(request.url) if foreign(request.url) else None)
    yield opened
    assert problems == []


def foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:"))
