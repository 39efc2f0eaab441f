"""The guard against a hot path that grows: what noise cannot fool, because nothing is timed.

A limit is what one token costs today, everything on. One call more per token and it fails; if the change is worth it,
raise the limit in the same commit and say why there. When a change makes it cheaper, lower it.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest
from calls_per_token import calls_per_token, read_sync

import l0
from l0 import Policy
from l0.config import CONFIG
from l0.runtime.stream_stats import StreamStatsRecorder

# Calls made by our code or into it, generated constructors included, for one more token in its own read.
# Python 3.11 is the reference; later ones inline some calls and need no more. Whole calls: what a batch of gaps takes
# to be added up (`pace`) is a fraction for each of them, and depends on how the gaps fell.
LIMITS = {
    ("chat", "sync"): 35,
    ("chat", "async"): 54,
    ("responses", "sync"): 36,
    ("responses", "async"): 55,
    ("messages", "sync"): 31,
    ("messages", "async"): 50,
}
# Deadlines of reads: one watch that is armed and disarmed, one clock that is asked. In async code they are reads of
# their own around those with the transport's timeout. Python 3.14 makes one more call there.
DEADLINES = {"sync": 1, "async": 14}
# Of the bare SDK's calls, all code counted, the transport's included. The newest SDKs make 787, 198 and 178 calls for a
# token in sync code, and 934, 345 and 326 in async code. Without direct reading, the shares are two to three times as
# large.
SHARES = {
    ("chat", "sync"): 0.05,
    ("chat", "async"): 0.12,
    ("responses", "sync"): 0.2,
    ("responses", "async"): 0.31,
    ("messages", "sync"): 0.21,
    ("messages", "async"): 0.33,
}
# Memory blocks that stay for each token of an answer that is being read: its piece of text.
BLOCKS = 1.5


class Listener:
    """An observer that wants to know everything, and does nothing with it."""

    def observe(self, call: Any) -> "Listener":
        return self

    def notify(self, event: Any) -> None: ...

    def active(self) -> AbstractContextManager[object]:
        return nullcontext()

    def headers(self) -> dict[str, str]:
        return {}


@contextmanager
def instrumented(policy: Policy | None = None) -> Iterator[None]:
    """l0 on, with somebody listening: the costliest way it runs."""
    l0.instrument(policy)
    CONFIG.set_observers((Listener(),))
    try:
        yield
    finally:
        CONFIG.set_observers(())
        l0.uninstrument()


@pytest.mark.parametrize(("api", "flavour"), LIMITS)
def test_a_token_costs_no_more_calls_than_it_did(api, flavour):
    with instrumented():
        calls = calls_per_token(api, sync=flavour == "sync")
    assert int(calls.own) <= LIMITS[api, flavour]


@pytest.mark.parametrize(("api", "flavour"), LIMITS)
def test_deadlines_cost_a_token_next_to_nothing(api, flavour):
    with instrumented(Policy.interactive()):
        calls = calls_per_token(api, sync=flavour == "sync")
    assert int(calls.own) <= LIMITS[api, flavour] + DEADLINES[flavour]


@pytest.mark.parametrize(("api", "flavour"), LIMITS)
def test_a_token_costs_a_fraction_of_the_calls_that_the_bare_sdk_makes(api, flavour):
    bare = calls_per_token(api, sync=flavour == "sync")
    with instrumented():
        ours = calls_per_token(api, sync=flavour == "sync")
    assert bare.own == 0
    assert ours.all <= SHARES[api, flavour] * bare.all


@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
def test_a_token_leaves_nothing_behind_but_its_text(api):
    more = 2000
    with instrumented():
        list(read_sync(api, 20))
        items = read_sync(api, 3000)
        for _ in range(500):
            next(items)
        before = sys.getallocatedblocks()
        for _ in range(more):
            next(items)
        kept = sys.getallocatedblocks() - before
        items.close()
    assert kept / more <= BLOCKS


def test_the_guard_sees_one_call_more_per_token(monkeypatch):
    read = StreamStatsRecorder.read

    def with_one_more(self: StreamStatsRecorder, *arguments: Any) -> None:
        read(self, *arguments)

    with instrumented():
        before = calls_per_token("chat", sync=True)
        monkeypatch.setattr(StreamStatsRecorder, "read", with_one_more)
        after = calls_per_token("chat", sync=True)
    assert after.all == pytest.approx(before.all + 1, abs=0.5)
