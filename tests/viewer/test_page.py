"""The page as a person uses it: arrival, filters, one call, the keyboard, and strings that mean harm."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from sample_calls import CALLS, EVENTFUL, budget_point, send_sample
from viewer_client import HANGS, ViewerClient, call, running_viewer

HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>\u202e{{7*7}}"
WATERFALL = f"#/calls/{EVENTFUL:032x}/{EVENTFUL:016x}"
NEXT_FRAMES = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
PRESS = """(keys) => {
  for (const key of keys) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}"""
MOST_KEYS = 1_000
FAILED = {"l0.outcome": "failed", "l0.cause": "reset"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewerClient]:
    with running_viewer(tmp_path_factory.mktemp("viewer") / "view.db") as client:
        send_sample(client)
        yield client


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[ViewerClient]:
    with running_viewer(tmp_path / "view.db") as client:
        yield client


def opened(page: Page, viewer: ViewerClient, place: str = "") -> Page:
    page.goto(f"{viewer.origin}/{place}")
    expect(page.locator("#live-state")).to_have_text("Live")
    return page


def test_empty_page_says_how_to_send_calls_and_shows_the_first(page: Page, fresh: ViewerClient) -> None:
    opened(page, fresh)
    expect(page.get_by_role("heading", level=1)).to_have_text("Waiting for the first call")
    expect(page.locator("pre").first).to_contain_text(f'l0.instrument(otlp="{fresh.origin}")')
    fresh.send(call(1, {"gen_ai.request.model": "first-model"}))
    expect(page.get_by_role("link", name="first-model")).to_be_visible()
    expect(page.get_by_text("No call broke.")).to_be_visible()


def test_new_calls_arrive(page: Page, fresh: ViewerClient) -> None:
    fresh.send(call(1))
    opened(page, fresh, "#/calls")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    fresh.send(call(2, FAILED, at=1_000))
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("failed")
    expect(page.locator("#announcer")).to_have_text("1 new call, 1 failed")


def test_call_that_took_long_stands_where_it_began(page: Page, fresh: ViewerClient) -> None:
    fresh.send(call(1, {"gen_ai.request.model": "early"}), call(2, {"gen_ai.request.model": "late"}, at=2_000))
    opened(page, fresh, "#/calls")
    expect(page.locator("tbody .model")).to_have_text(["late", "early"])
    fresh.send(call(3, {"gen_ai.request.model": "long"}, at=1_000, ms=9_000))
    expect(page.locator("tbody .model")).to_have_text(["late", "long", "early"])


def test_arrivals_do_not_move_the_row_that_is_in_use(page: Page, fresh: ViewerClient) -> None:
    fresh.send(call(1))
    opened(page, fresh, "#/calls")
    page.keyboard.press("j")
    fresh.send(call(2, at=1_000))
    offer = page.get_by_role("button", name="Show 1 new call")
    expect(offer).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    offer.click()
    expect(page.locator("tbody tr")).to_have_count(2)


def test_paused_page_shows_what_it_missed_when_it_goes_on(page: Page, fresh: ViewerClient) -> None:
    fresh.send(call(1))
    opened(page, fresh, "#/calls")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#live-state")).to_have_text("Paused")
    fresh.send(call(2, at=1_000))
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("tbody tr")).to_have_count(2)


def test_filters_stand_in_the_address(page: Page, filled: ViewerClient, browser: Browser) -> None:
    opened(page, filled, "#/calls")
    total = page.locator(".total")
    expect(total).to_have_text(re.compile(rf"of {CALLS + 1} calls"))
    page.get_by_label("Outcome", exact=True).select_option("failed")
    page.get_by_label("Model", exact=True).select_option("gpt-4o")
    failed = filled.get("/api/calls", outcome="failed", model="gpt-4o")["total"]
    expect(total).to_have_text(f"{failed} calls" if failed != 1 else "1 call")
    expect(page.locator("tbody .outcome.failed")).to_have_count(failed)
    assert page.url.endswith("#/calls?model=gpt-4o&outcome=failed")

    shared = browser.new_page()
    shared.goto(page.url)
    expect(shared.locator("tbody tr")).to_have_count(failed)
    expect(shared.get_by_label("Model", exact=True)).to_have_value("gpt-4o")
    shared.close()

    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Outcome", exact=True).select_option("recovered")
    recovered = filled.get("/api/overview")["totals"]["recovered"]
    expect(total).to_have_text(re.compile(rf"\b{recovered} calls"))
    page.get_by_label("Search").fill("claude stalled")
    expect(page.locator("tbody tr").first).to_contain_text("stalled")
    page.get_by_label("Search").fill("nowhere")
    expect(page.get_by_text("No call matches this filter.")).to_be_visible()
    page.get_by_role("button", name="Show all calls").click()
    expect(total).to_have_text(re.compile(rf"of {CALLS + 1} calls"))
    page.get_by_label("Time").select_option("1h")
    assert page.url.endswith("last=1h")


def test_a_filter_that_follows_at_once_builds_on_the_one_before(page: Page, filled: ViewerClient) -> None:
    opened(page, filled, "#/calls?model=gpt-4o")
    page.evaluate(
        """() => {
          [...document.querySelectorAll("button")].find((one) => one.textContent === "Clear").click();
          const outcome = document.getElementById("filter-outcome");
          outcome.value = "recovered";
          outcome.dispatchEvent(new Event("change"));
        }"""
    )
    recovered = filled.get("/api/overview")["totals"]["recovered"]
    expect(page.locator(".total")).to_have_text(f"{recovered} calls")
    assert page.url.endswith("#/calls?outcome=recovered")


def test_slowest_calls_are_found_by_keyboard_and_shared(page: Page, filled: ViewerClient, browser: Browser) -> None:
    opened(page, filled, "#/calls")
    slowest, second = filled.get("/api/calls", sort="duration", limit=2)["calls"]
    head = page.get_by_role("columnheader", name="Duration")
    expect(page.get_by_role("columnheader", name="Time")).to_have_attribute("aria-sort", "descending")
    head.get_by_role("button").press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    first_link = page.locator("tbody tr a").first
    expect(first_link).to_have_attribute("href", re.compile(f"/{slowest['span_id']}"))
    assert page.url.endswith("#/calls?sort=duration")
    shared = browser.new_page()
    shared.goto(page.url)
    expect(shared.locator("tbody tr a").first).to_have_attribute("href", re.compile(f"/{slowest['span_id']}"))
    shared.close()
    page.get_by_label("Duration", exact=True).select_option("5000")
    long = filled.get("/api/calls", min_duration=5_000)["total"]
    expect(page.locator(".total")).to_have_text(re.compile(rf"^{long} call|of {long} calls"))
    first_link.click()
    page.get_by_role("link", name="Next").click()
    assert second["span_id"] in page.url
    page.get_by_role("link", name="← Calls").click()
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")


def test_call_says_where_its_time_went(page: Page, filled: ViewerClient) -> None:
    eventful = filled.get("/api/calls", q=f"{EVENTFUL:032x}")["calls"][0]
    opened(page, filled, f"#/calls/{eventful['trace_id']}/{eventful['span_id']}")
    spent = page.locator(".spent")
    expect(spent).to_contain_text("1.79 s: 64 ms in a failed attempt, 194 ms waiting before another one, 445 ms with")
    expect(spent).to_contain_text("a slower request alone, 262 ms to the first token of the faster request, 825 ms for")
    expect(spent).to_contain_text("the rest of the answer (longest gap of all attempts 68 ms; usual for the model:")


def test_older_calls_are_read_on_the_way_down(page: Page, filled: ViewerClient) -> None:
    opened(page, filled, "#/calls")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(100)
    for _ in range(MOST_KEYS):
        if rows.count() > CALLS:
            break
        page.keyboard.press("End")
        page.evaluate(NEXT_FRAMES)  # the key goes to the end of the rows that are drawn
    expect(rows).to_have_count(CALLS + 1)
    expect(page.get_by_role("button", name="Show older calls")).to_be_hidden()


def test_older_calls_are_read_if_the_end_of_the_list_never_leaves_the_window(page: Page, filled: ViewerClient) -> None:
    """A fast reader is at the new end before the browser has drawn it."""
    opened(page, filled, "#/calls")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(100)
    page.evaluate(
        """() => {
            const toEnd = () => scrollTo(0, document.documentElement.scrollHeight);
            new MutationObserver(toEnd).observe(document.querySelector("tbody"), { childList: true });
            toEnd();
        }"""
    )
    expect(rows).to_have_count(CALLS + 1)


def test_overview_links_to_the_calls(page: Page, filled: ViewerClient) -> None:
    opened(page, filled)
    totals = filled.get("/api/overview")["totals"]
    expect(page.locator(".story .lead")).to_contain_text(f"{totals['recovered']} recovered")
    expect(page.locator(".u-wrap canvas")).to_have_count(3)
    expect(page.get_by_role("row", name="first word in 1 s")).to_contain_text("6.4\u00d7 allowed")
    expect(page.get_by_role("row", name="answers complete")).to_have_count(0)
    page.get_by_text("1 objective within budget").click()
    expect(page.get_by_role("row", name="answers complete")).to_contain_text("0.8\u00d7")
    page.get_by_role("link", name="truncated").click()
    expect(page.get_by_label("Cause", exact=True)).to_have_value("truncated")
    expect(page.locator("tbody tr").first).to_contain_text("truncated")


def test_budget_is_one_row_with_its_worst_window_and_the_others_on_demand(page: Page, fresh: ViewerClient) -> None:
    filled_with_budgets(fresh)
    opened(page, fresh)
    row = page.get_by_role("row", name="first-token")
    expect(row).to_have_count(1)
    expect(row.get_by_text("62\u00d7 allowed")).to_have_class("failed")
    expect(row.get_by_text("5m: 60\u00d7")).to_be_hidden()
    row.locator("summary").click()
    expect(row.get_by_text("5m: 60\u00d7")).to_be_visible()
    ticket = page.get_by_role("row", name="stall")
    expect(ticket.get_by_text("1.2\u00d7 allowed")).to_have_class("ticket")


def filled_with_budgets(viewer: ViewerClient) -> None:
    rates = {
        "first-token": {"5m": 60.0, "1h": 62.0, "6h": 61.0, "30m": 61.0},
        "stall": {"3d": 1.2, "6h": 1.2, "1h": 1.1},
    }
    points = [budget_point(slo, rate, window) for slo, windows in rates.items() for window, rate in windows.items()]
    metric = {"name": "l0.slo.burn_rate", "gauge": {"dataPoints": points}}
    viewer.send(call(1, {"l0.outcome": "ok"}))
    viewer.post_json("metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})


def test_selection_in_a_chart_becomes_a_time(page: Page, filled: ViewerClient) -> None:
    opened(page, filled)
    box = page.locator(".u-over").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 80, box["y"] + 50, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"since=\d+&until=\d+"))
    expect(page.locator(".story")).not_to_contain_text(f"{CALLS + 1} calls")


def test_waterfall_of_a_real_call_with_three_attempts_and_a_hedge(page: Page, fresh: ViewerClient) -> None:
    program = [sys.executable, str(Path(__file__).with_name("real_calls.py")), fresh.origin]
    opened(page, fresh, "#/calls")
    done = subprocess.run(program, capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr
    page.locator("tbody tr", has_text="recovered by hedge").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("gpt-4o: recovered by hedge after 3 attempts")
    rows = page.locator(".waterfall .row")
    expect(rows).to_have_count(5)
    for at, words in enumerate(
        ["call", "failed: unavailable (503)", "the other request was faster", "hedge", "token flow"]
    ):
        expect(rows.nth(at)).to_contain_text(words)
    expect(rows.nth(2).locator(".backoff")).to_have_count(1)
    expect(page.locator(".mark.commit")).to_have_count(1)
    expect(page.locator(".flow i").first).to_be_attached()
    refused = "Attempt 1 failed: unavailable (503): the provider is not available."
    for words in [refused, "as a hedge, beside the slow one", "the commit point", "The answer is complete"]:
        expect(page.locator("ol.story")).to_contain_text(words)
    expect(page.get_by_text("The span has no messages.")).to_be_visible()


def test_call_shows_findings_content_and_the_other_spans(page: Page, filled: ViewerClient) -> None:
    opened(page, filled, WATERFALL)
    expect(page.locator(".track .point.finding")).to_have_count(1)
    expect(page.locator("ol.story")).to_contain_text(
        "Rule repetition: the sentence is repeated (warning, recorded, at character 214)"
    )
    expect(page.locator(".message", has_text="assistant")).to_contain_text("it left the warehouse this morning")
    expect(page.get_by_role("cell", name="POST /orders/{id}/chat")).to_be_visible()
    page.get_by_text("Attributes of the call").click()
    expect(page.locator(".attributes").first).to_contain_text("l0.outcome")


def test_failed_call_says_why_it_ended(page: Page, filled: ViewerClient) -> None:
    failed = filled.get("/api/calls", outcome="failed", limit=1)["calls"][0]
    opened(page, filled, f"#/calls/{failed['trace_id']}/{failed['span_id']}")
    expect(page.locator(".trouble")).to_contain_text("all retries are used (Retry.max_retries=2)")
    expect(page.locator(".trouble")).to_contain_text(failed["cause"])


def test_call_that_is_not_kept_is_said_to_be_gone(page: Page, browser: Browser, filled: ViewerClient) -> None:
    gone = browser.new_page()  # its answer of 404 is an error on the console
    gone.goto(f"{filled.origin}/#/calls/{'0' * 32}/{'0' * 16}")
    expect(gone.get_by_role("alert")).to_have_text("this call is not kept, or no longer")
    gone.close()


def test_keyboard_alone_is_enough(page: Page, filled: ViewerClient) -> None:
    opened(page, filled)
    press = page.keyboard.press
    press("2")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator("tbody tr")).to_have_count(100)
    press("j")
    press("j")
    press("j")
    press("k")
    second = page.locator("tbody tr").nth(1).get_by_role("link")
    expect(second).to_be_focused()
    press("Enter")
    title = page.get_by_role("heading", level=1)
    expect(title).to_be_focused()
    first_url = page.url
    press("j")
    expect(page).not_to_have_url(first_url)
    press("k")
    expect(page).to_have_url(first_url)
    press("Escape")
    expect(second).to_be_focused()
    press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("truncated")
    expect(page).to_have_url(re.compile("q=truncated"))
    press("Escape")
    expect(page.get_by_label("Search")).not_to_be_focused()
    press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_label("Single letters are commands").uncheck()
    press("Escape")
    press("1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Calls")


def test_keys_go_on_from_the_call_in_the_address_before_it_is_shown(page: Page, filled: ViewerClient) -> None:
    opened(page, filled, "#/calls")
    expect(page.locator("tbody tr")).to_have_count(100)
    for key in ("j", "j", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(".waterfall")).to_be_visible()
    first_url = page.url
    held: list[Route] = []

    def hold(route: Route) -> None:  # the signature of a built-in function cannot be read
        held.append(route)

    page.route(re.compile("/api/calls/.+/.+"), hold)
    page.keyboard.press("j")
    expect(page).not_to_have_url(first_url)
    page.keyboard.press("k")
    expect(page).to_have_url(first_url)
    for route in held:
        route.continue_()
    expect(page.locator(".waterfall")).to_be_visible()


@pytest.mark.parametrize(("keys", "moved"), [("jk", 0), ("jj", 2), ("jjk", 1)])
def test_keys_go_on_from_the_address_before_the_page_has_heard_of_its_change(
    page: Page, filled: ViewerClient, keys: str, moved: int
) -> None:
    """Keys that a browser hands over before it reports that the address changed."""
    opened(page, filled, "#/calls")
    rows = page.locator("tbody tr a")
    expect(rows).to_have_count(100)
    addresses = [rows.nth(at).get_attribute("href") for at in range(3)]
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile(re.escape(str(addresses[0]))))
    expect(page.locator(".waterfall")).to_be_visible()
    page.evaluate(PRESS, keys)
    expect(page).to_have_url(re.compile(re.escape(str(addresses[moved]))))


def test_theme_is_kept(page: Page, filled: ViewerClient) -> None:
    page.emulate_media(color_scheme="light")
    opened(page, filled)
    background = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    dark = page.evaluate(background)
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(background) == dark != light


@pytest.mark.parametrize("place", ["", "#/calls", WATERFALL])
def test_narrow_page_does_not_scroll_sideways(page: Page, filled: ViewerClient, place: str) -> None:
    page.set_viewport_size({"width": 375, "height": 720})
    opened(page, filled, place)
    expect(page.get_by_role("heading", level=1)).to_be_attached()
    expect(page.locator("main section, main tbody tr").first).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_hostile_strings_are_text(page: Page, fresh: ViewerClient) -> None:
    known = {
        "gen_ai.provider.name": HOSTILE, "gen_ai.request.model": HOSTILE, "l0.outcome": "failed", "l0.cause": HOSTILE,
        "error.type": HOSTILE, "gen_ai.response.finish_reasons": [HOSTILE], HOSTILE: HOSTILE, "l0.stop.reason": HOSTILE,
        "gen_ai.output.messages": f'[{{"role": {HOSTILE!r}}}]', "gen_ai.input.messages": HOSTILE, "__proto__": HOSTILE,
    }  # fmt: skip
    fresh.send(call(1, known, name=HOSTILE, error=HOSTILE, traceState=HOSTILE), service=HOSTILE)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    opened(page, fresh)
    expect(page.locator("table.models")).to_contain_text(HOSTILE)
    page.get_by_label("Model", exact=True).select_option(HOSTILE)
    page.get_by_role("link", name="Calls", exact=True).click()
    expect(page.locator("tbody tr")).to_contain_text(HOSTILE)
    page.locator("tbody tr").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)
    for summary in page.locator("summary").all():
        summary.click()
    expect(page.locator(".trouble")).to_contain_text(HOSTILE)
    assert page.locator("main img, main script, [onerror]").count() == 0
    assert HOSTILE in page.title()


def test_another_host_is_refused(browser: Browser, filled: ViewerClient) -> None:
    page = browser.new_page()
    answer = page.goto(f"http://viewer.example:{filled.port}/")
    assert answer is not None
    assert answer.status == 421
    page.close()


def test_hundred_thousand_calls(page: Page, tmp_path: Path) -> None:
    copies = 100_000
    with running_viewer(tmp_path / "view.db") as client:
        client.send(*(call(number, FAILED if number % 9 == 0 else {}, at=number * 10) for number in range(1, 101)))
    multiply(tmp_path / "view.db", copies)
    with running_viewer(tmp_path / "view.db") as client:
        opened(page, client, "#/calls")
        expect(page.locator(".total")).to_have_text(f"100 of {copies:,} calls")
        page.reload()
        expect(page.locator(".total")).to_have_text(f"100 of {copies:,} calls")
        shown_ms = page.evaluate("performance.getEntriesByName('calls-shown')[0].startTime")
        print(f"{copies:,} calls: the page of calls was complete {shown_ms:.0f} ms after it was asked for")
        assert shown_ms > 0
        page.get_by_label("Outcome", exact=True).select_option("failed")
        expect(page.locator(".total")).to_have_text(f"100 of {copies // 100 * 11:,} calls")


def multiply(path: Path, wanted: int) -> None:
    """Repeat the stored calls until there are so many, each with its own ids and start."""
    database = sqlite3.connect(path)
    calls = [row[1] for row in database.execute("PRAGMA table_info(calls)")]
    spans = [row[1] for row in database.execute("PRAGMA table_info(spans)")]
    new = {
        "id": "id + 1000 * n",
        "trace_id": "printf('%032x', id + 1000 * n)",
        "span_id": "printf('%016x', id + 1000 * n)",
    }
    new["start"] = "start + 1000 * n"
    for table, columns in (("spans", spans), ("calls", calls)):
        values = ", ".join(new.get(column, column) for column in columns)
        database.execute(
            f"WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < {wanted // 100 - 1})"
            f" INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}, copy WHERE id < 1000"
        )
    database.commit()
    database.close()
