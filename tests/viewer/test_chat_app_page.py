"""The page of the example chat application: it shows whole answers, and says so if one breaks."""

from collections.abc import Iterator

import pytest
from examples_kit import serving
from playwright.sync_api import Page, Route, expect

from l0.simulator import corpus

BROKEN = 'event: piece\ndata: "Half an"\n\nevent: broken\ndata: "reset"\n\n'


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving("chat_app/chat_app.py") as address:
        yield address


def ask(page: Page, text: str) -> None:
    page.get_by_label("Message").fill(text)
    page.get_by_role("button", name="Send").click()


def test_answers_are_whole_although_two_requests_fail(page: Page, url: str) -> None:
    page.goto(url)
    for number, (question, name) in enumerate([("Why does it rain?", "explain_rain"), ("A story, please.", "story")]):
        ask(page, question)
        expect(page.locator(".answer").nth(number)).to_have_text(corpus.answers()[name].text)
    expect(page.locator(".user")).to_have_text(["Why does it rain?", "A story, please."])
    expect(page.locator(".broken")).to_have_count(0)


@pytest.mark.parametrize(("body", "shown"), [(BROKEN, "reset"), (BROKEN[:30], "the connection was lost")])
def test_broken_answer_says_so(page: Page, url: str, body: str, shown: str) -> None:
    def answer(route: Route) -> None:
        route.fulfill(content_type="text/event-stream", body=body)

    page.route("**/chats/*", answer)
    page.goto(url)
    ask(page, "Hello")
    expect(page.locator(".answer.broken")).to_contain_text(f"[broken off: {shown}]")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
