"""The buffer releases every item once and in order, in every mode."""

from typing import Any

import pytest
from driver_fakes import FRAME, TOOL, FakeReader
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.model.policy import Hold
from l0.runtime import output_buffer
from l0.runtime.output_buffer import OutputBuffer

words = st.sampled_from([FRAME, "a", "bb", "ccccc"])
reads = st.lists(st.lists(words, max_size=4), max_size=15)
modes = st.sampled_from(["first_content", "verified", "message"])


def feed(kept: OutputBuffer, reader: FakeReader, items: list[Any], *, committed: bool) -> list[Any]:
    """Pass one read to the buffer, as the runtime does."""
    for item in items:
        reader.observe_object(item)
    if kept.holds_after_commit:
        return kept.add_to_window(items, reader, reader.chars, reader.chars)
    return items if committed else kept.add_before_commit(items, reader)


def through(hold: Hold, given: list[list[Any]]) -> tuple[list[list[Any]], list[Any]]:
    """Return the items that are released after each read, and those that are released at the end."""
    kept, reader = OutputBuffer(hold, hold.window or 256), FakeReader()
    out: list[list[Any]] = []
    for items in given:
        out.append(feed(kept, reader, list(items), committed=any(out)))
    return out, kept.flush()


def chars(items: list[Any]) -> int:
    return sum(len(item) for item in items if item is not FRAME)


@given(mode=modes, given_=reads, window=st.integers(1, 20), frames=st.integers(0, 5))
@settings(max_examples=200)
def test_everything_comes_once_and_in_order(mode, given_, window, frames):
    out, rest = through(Hold(until=mode, window=window, frames=frames, seconds=60), given_)
    assert [item for items in [*out, rest] for item in items] == [item for items in given_ for item in items]


@given(given_=reads, window=st.integers(1, 20))
@settings(max_examples=200)
def test_what_is_verified_has_a_window_of_text_behind_it(given_, window):
    out, _ = through(Hold(until="verified", window=window), given_)
    sent = delivered = 0
    for items, due in zip(given_, out, strict=True):
        sent += chars(items)
        delivered += chars(due)
        assert not due or delivered + window <= sent


@given(given_=reads, window=st.integers(1, 20))
@settings(max_examples=100)
def test_no_more_is_kept_back_than_a_window_and_one_read(given_, window):
    out, _ = through(Hold(until="verified", window=window), given_)
    longest = max((chars(items) for items in given_), default=0)
    sent = sum(map(chars, given_))
    assert sent - sum(map(chars, out)) < window + max(longest, 1)


@given(given_=reads)
@settings(max_examples=80)
def test_of_a_message_nothing_comes_before_the_end(given_):
    out, rest = through(Hold(until="message", frames=0, seconds=0), given_)
    assert not any(out)
    assert rest == [item for items in given_ for item in items]


@pytest.mark.parametrize(
    ("items", "due"),
    [([FRAME], []), ([FRAME, "a"], [FRAME, "a"]), ([TOOL], [TOOL]), ([FRAME] * 3, [FRAME] * 3), ([], [])],
)
def test_frames_are_kept_until_content_a_server_tool_or_too_many_of_them(items, due):
    assert feed(OutputBuffer(Hold(frames=3, seconds=60), 256), FakeReader(), items, committed=False) == due


def test_frames_are_kept_for_so_long_only(monkeypatch):
    clock = {"now": 5.0}
    monkeypatch.setattr(output_buffer, "perf_counter", lambda: clock["now"])
    kept, reader = OutputBuffer(Hold(seconds=2.0), 256), FakeReader()
    assert kept.add_before_commit([FRAME], reader) == []
    clock["now"] += 2.1
    assert kept.add_before_commit([], reader) == [FRAME]


@pytest.mark.parametrize("mode", ["first_content", "verified", "message"])
def test_a_restart_forgets_everything(mode):
    kept = OutputBuffer(Hold(until=mode), 256)
    feed(kept, FakeReader(), [FRAME], committed=False)
    kept.keep([FRAME])
    kept.clear()
    assert kept.flush() == []
    assert kept.held_s(7.0) == 0.0


@pytest.mark.parametrize(
    ("mode", "first", "last"), [("first_content", [0.0], 0.0), ("verified", [0.0], 2.0), ("message", [], 4.0)]
)
def test_only_content_counts_as_held(mode, first, last, monkeypatch):
    clock = {"now": 5.0}
    monkeypatch.setattr(output_buffer, "perf_counter", lambda: clock["now"])
    kept, reader = OutputBuffer(Hold(until=mode, window=2), 2), FakeReader()
    committed, held = False, []
    for items in ([FRAME], ["ab"], ["cd"], ["e"], ["f"]):  # at 6, 7, 8, 9 and 10
        clock["now"] += 1.0
        due = feed(kept, reader, items, committed=committed)
        if due and not committed:
            held.append(kept.held_s(clock["now"]))
        committed = committed or bool(due)
    clock["now"] += 1.0
    kept.flush()
    assert kept.held_s(clock["now"]) == last
    assert held == first
