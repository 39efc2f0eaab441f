"""The recording of a call on its page: bytes, decisions, and the replay of its token flow."""

import re
from base64 import b64encode
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from test_accessibility import findings
from viewer_client import ViewerClient, call, running_viewer
from viewer_recordings import ask, last_recorded, recorded_for

from l0.recording.recording import RecordedCall
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault
from l0.testing import simulator
from l0.viewer.recording_folders import RecordingFolders

ANSWER = "The order left the warehouse this morning, and arrives tomorrow."
HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>\u202e\x1b[31m"
SHOWN = HOSTILE.replace("\u202e", "⟨U+202E⟩").replace("\x1b", "⟨U+001B⟩")
DRIP_S = 0.03


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def recorded(
    tmp_path_factory: pytest.TempPathFactory, folder: Path
) -> Iterator[tuple[ViewerClient, list[RecordedCall]]]:
    """A viewer, and two calls: one that is retried and slow, and one with prompts, which mean harm."""
    path = tmp_path_factory.mktemp("viewer") / "view.db"
    with running_viewer(path, recordings=RecordingFolders(named=[folder])) as viewer, simulator() as sim:
        with recorded_for(viewer, sim, folder) as client:
            sim.script(Fault.status(503), f'text "{ANSWER}" | slow_drip interval={DRIP_S}')
            ask(client, "Where is it?")
        slow = last_recorded(folder)
        with recorded_for(viewer, sim, folder, content=True) as client:
            sim.script(Answer(text=HOSTILE))
            ask(client, HOSTILE + "x" * 100_000)
        yield viewer, [slow, last_recorded(folder)]


@pytest.fixture
def slow(recorded: tuple[ViewerClient, list[RecordedCall]]) -> RecordedCall:
    return recorded[1][0]


@pytest.fixture
def shown(page: Page, recorded: tuple[ViewerClient, list[RecordedCall]]) -> Page:
    """The page of the slow call."""
    return opened(page, recorded[0], recorded[1][0])


def opened(page: Page, viewer: ViewerClient, call: RecordedCall) -> Page:
    page.goto(f"{viewer.origin}/#/calls/{call.trace_id}/{call.span_id}")
    expect(page.get_by_role("heading", name="Requests and answers")).to_be_visible()
    return page


def player(page: Page) -> Locator:
    return page.get_by_role("group", name="Replay of the token flow")


def answer(page: Page) -> Locator:
    return page.get_by_role("region", name="Answer of attempt 2 so far")


def test_page_shows_decisions_as_l0_explain_tells_them(shown: Page) -> None:
    told = shown.get_by_role("region", name="Decisions").locator("li")
    expect(told.first).to_contain_text("policy")
    expect(told.filter(has_text="signal")).to_contain_text(["unavailable", "the first content goes", "complete"])
    expect(told.filter(has_text="decision")).to_have_text(re.compile(r"decision\s*retry in .*Retry\.max_retries=\d"))


def test_page_shows_requests_heads_and_bytes(shown: Page, slow: RecordedCall) -> None:
    refused, served = shown.locator("article.attempt").all()
    expect(refused).to_contain_text("503")
    expect(refused).to_contain_text("unavailable")
    expect(served).to_contain_text("POST /v1/chat/completions")
    served.get_by_text("Headers of the answer").click()
    expect(served.locator("dl.attributes").filter(has_text="text/event-stream")).to_be_visible()
    served.get_by_text("Shape of the request").click()
    expect(served.get_by_role("region", name="Shape of the request")).to_contain_text('"role": "user"')
    served.get_by_text("Bytes of the answer").click()
    reads = served.locator(".reads li")
    expect(reads).to_have_count(len(slow.attempts[1].reads))
    expect(reads.last).to_contain_text("data: [DONE]")
    served.get_by_role("button", name="Hex").click()
    expect(reads.first).to_contain_text("00000000  64 61 74 61 3a 20")
    expect(reads.first).to_contain_text("data: ")
    expect(served.get_by_role("button", name="Hex")).to_have_attribute("aria-pressed", "true")


def test_play_replays_the_token_flow_in_time(
    page: Page, recorded: tuple[ViewerClient, list[RecordedCall]], slow: RecordedCall
) -> None:
    page.clock.install()
    page.clock.pause_at(2_000_000_000)
    opened(page, recorded[0], slow)
    player(page).get_by_role("button", name="Play").click()
    expect(page.locator("#announcer")).to_have_text("Playing at 1x")
    # The longest pause in the middle of the answer: on a busy machine, many reads can be recorded in one burst.
    middle = slow.attempts[1].reads[2:-2]
    earlier, later = max(pairwise(middle), key=lambda pair: pair[1].at - pair[0].at)
    page.clock.run_for(int(500 * (earlier.at + later.at)))
    half = answer(page).inner_text()
    assert 0 < len(half) < len(ANSWER)
    assert ANSWER.startswith(half)
    latest = page.locator("ol.decisions li[aria-current]")
    expect(latest).to_contain_text("the first content goes to the user")
    player(page).get_by_role("button", name="Pause").click()
    page.clock.run_for(10_000)
    expect(answer(page)).to_have_text(half)
    player(page).get_by_label("Speed").select_option("100x")
    player(page).get_by_role("button", name="Play").click()
    page.clock.run_for(200)
    expect(answer(page)).to_have_text(ANSWER)
    expect(player(page)).to_contain_text(f"{len(ANSWER)} characters of {len(ANSWER)} delivered")
    expect(page.locator("#announcer")).to_contain_text("End of the replay: end: recovered_retry")
    expect(player(page).get_by_role("button", name="Play")).to_be_visible()


def test_replay_with_the_keyboard_alone(shown: Page) -> None:
    press = shown.keyboard.press
    announcer = shown.locator("#announcer")
    press(".")
    expect(announcer).to_contain_text("policy: ")
    press(".")
    expect(announcer).to_contain_text("attempt 1: POST")
    player(shown).get_by_role("button", name="Play").focus()
    press("Tab")
    expect(player(shown).get_by_role("button", name="Step")).to_be_focused()
    for _ in range(40):
        press("Enter")
        if "of attempt 2: " in announcer.inner_text():
            break
    expect(announcer).to_have_text(re.compile("of attempt 2: The; 2 items delivered$"))
    press("Enter")
    expect(announcer).to_have_text(re.compile("signal: the first content goes to the user.*$"))
    for _ in range(3):
        press("Tab")
    time = player(shown).get_by_role("slider", name="Time of the call")
    expect(time).to_be_focused()
    press("End")
    expect(answer(shown)).to_have_text(ANSWER)
    press("Home")
    expect(answer(shown)).to_have_text("")
    press("ArrowRight")
    expect(time).to_have_attribute("aria-valuetext", re.compile(r"ms of [\d.]+ (s|ms)$"))
    press("Escape")
    expect(shown.get_by_role("heading", level=1)).to_have_text("Calls")


def test_letter_starts_and_stops_the_replay(shown: Page) -> None:
    shown.keyboard.press("r")
    expect(shown.locator("#announcer")).to_have_text("Playing at 1x")
    expect(answer(shown)).to_have_text(ANSWER)
    expect(shown.locator("#announcer")).to_contain_text("End of the replay")


def test_less_motion_is_one_picture_a_second(page: Page, recorded: tuple[ViewerClient, list[RecordedCall]]) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.clock.install()
    page.clock.pause_at(2_000_000_000)
    opened(page, recorded[0], recorded[1][0])
    player(page).get_by_role("button", name="Play").click()
    page.clock.run_for(990)
    expect(answer(page)).to_have_text("")
    page.clock.run_for(20)
    expect(answer(page)).to_have_text(re.compile(r"^The order"))


def test_replay_goes_on_while_spans_arrive(page: Page, recorded: tuple[ViewerClient, list[RecordedCall]]) -> None:
    viewer, (slow, _) = recorded
    opened(page, viewer, slow)
    player(page).get_by_label("Speed").focus()
    page.keyboard.press(".")
    player(page).get_by_role("button", name="Step").focus()
    page.keyboard.press("Enter")
    counts = player(page).locator(".latest").inner_text()
    late = call(77, {}, trace=int(slow.trace_id or "", 16), name="a late span")
    viewer.send(late)
    expect(page.get_by_role("region", name="Other spans", exact=True)).to_contain_text("a late span")
    expect(player(page).get_by_role("button", name="Step")).to_be_focused()
    assert player(page).locator(".latest").inner_text() == counts


def test_hostile_bytes_are_text(page: Page, recorded: tuple[ViewerClient, list[RecordedCall]]) -> None:
    viewer, (_, hostile) = recorded
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    opened(page, viewer, hostile)
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    expect(page.get_by_role("region", name="Answer of attempt 1 so far")).to_have_text(SHOWN)
    for summary in page.locator(".recording summary").all():
        summary.click()
    expect(page.get_by_role("region", name="Bytes of the answer")).to_contain_text("onerror")
    expect(page.get_by_role("region", name="Body of the request")).to_contain_text("<script>alert(2)</script>⟨U+202E⟩")
    assert page.locator("main img, main script, [onerror]").count() == 0


def test_bytes_that_are_no_text_are_shown_as_digits(
    page: Page, recorded: tuple[ViewerClient, list[RecordedCall]]
) -> None:
    data = b"<script>\xff\x00\xe2\x80\xae"
    read = {"number": 0, "at": 1.5, "size": 99, "offset": 0, "base64": b64encode(data).decode()}
    answer = {"reads": [read], "next": None, "size": len(data)}
    page.route(re.compile("/answer"), lambda route: route.fulfill(json=answer))
    opened(page, recorded[0], recorded[1][1])
    page.get_by_text("Bytes of the answer").click()
    shown = page.get_by_role("region", name="Bytes of the answer")
    expect(shown).to_contain_text("00000000  3c 73 63 72 69 70 74 3e ff 00 e2 80 ae")
    expect(shown).to_contain_text("<script>.....")
    page.get_by_role("button", name="Text").click()
    expect(shown).to_contain_text("<script>\ufffd⟨U+0000⟩⟨U+202E⟩")


def test_large_bodies_come_in_parts(page: Page, recorded: tuple[ViewerClient, list[RecordedCall]]) -> None:
    opened(page, recorded[0], recorded[1][1])
    page.get_by_text("Body of the request").click()
    body = page.get_by_role("region", name="Body of the request")
    more = page.get_by_role("button", name="Show more of")
    expect(more).to_be_visible()
    first = len(body.inner_text())
    assert first <= 70_000
    more.click()
    expect(more).to_be_hidden()
    assert len(body.inner_text()) > 100_000 > first


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_recording_has_no_serious_finding(
    page: Page, recorded: tuple[ViewerClient, list[RecordedCall]], scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    opened(page, recorded[0], recorded[1][0])
    for _ in range(8):
        page.keyboard.press(".")
    for summary in page.locator("article.attempt").last.locator("summary").all():
        summary.click()
    expect(page.get_by_role("region", name="Bytes of the answer of attempt 2")).to_contain_text("[DONE]")
    assert findings(page, ".recording") == []


def test_narrow_page_with_open_bytes_does_not_scroll_sideways(
    page: Page, recorded: tuple[ViewerClient, list[RecordedCall]]
) -> None:
    page.set_viewport_size({"width": 375, "height": 720})
    opened(page, recorded[0], recorded[1][0])
    for summary in page.locator(".recording summary").all():
        summary.click()
    page.get_by_role("button", name="Hex").last.click()
    expect(page.locator(".reads").last).to_contain_text("00000000")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_call_without_a_recording_says_where_it_was_looked_for(
    page: Page, recorded: tuple[ViewerClient, list[RecordedCall]], folder: Path
) -> None:
    viewer = recorded[0]
    viewer.send(call(5))
    page.goto(f"{viewer.origin}/#/calls/{5:032x}/{5:016x}")
    expect(page.get_by_role("region", name="Recording")).to_have_text(
        f"RecordingThis call is in no recording of {folder}."
    )
