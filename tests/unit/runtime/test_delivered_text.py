"""The text that L0 reports as delivered is the text that the user has, wherever an answer breaks and resumes."""

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest
from driver_fakes import DONE, FRAME, AsyncFakeBody, Broken, FakeBody, FakeCallAdapter, Listener
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import make_call

from l0.model.call import Outcome
from l0.model.policy import Hold, Policy, ResumePoint, Retry
from l0.runtime import async_driver, sync_driver
from l0.runtime.call_runtime import CallRuntime
from l0.shared_state.shared import SharedState

reads = st.lists(st.lists(st.sampled_from([FRAME, "a", "bb", "ccc"]), max_size=4), max_size=4)
endings = st.sampled_from([DONE, Broken("rst")])


def text_of(items: list[Any]) -> str:
    """Return the text of what the user got."""
    return "".join(item for item in items if item is not FRAME)


def play(flavour: str, made: CallRuntime, attempts: list[Any], items: list[Any]) -> str | None:
    """Read an answer into ``items``. Return the message of the exception that ended it."""
    with ExitStack() as context:
        made.sending(made.begin(), context)
        made.opened(200, None)

    async def consume() -> None:
        async for item in async_driver.relay(made, AsyncFakeBody(made, *attempts)):
            items.append(item)

    try:
        if flavour == "async":
            asyncio.run(consume())
        else:
            for item in sync_driver.relay(made, FakeBody(made, *attempts)):
                items.append(item)  # noqa: PERF402 - `on_resume` looks at the list meanwhile
    except Broken as error:
        return str(error)
    return None


@pytest.mark.parametrize("flavour", ["sync", "async"])
@given(
    bodies=st.lists(reads, min_size=5, max_size=5),
    last=endings,
    hold=st.sampled_from(["first_content", "message", Hold(until="verified", window=2)]),
    resume=st.sampled_from(["off", "splice"]),
)
@settings(max_examples=60, deadline=None)
def test_delivered_text_equals_the_text_of_the_user(flavour, bodies, last, hold, resume):
    items: list[Any] = []
    points: list[tuple[int, int]] = []

    def note(point: ResumePoint) -> None:
        points.append((point.at, len(text_of(items))))

    retry = Retry(attempts=4, max_retries=4, base_delay=0)
    policy = Policy(retry=retry, resume=resume, hold=hold, on_resume=note)
    listener = Listener()
    made = CallRuntime(make_call(policy=policy), FakeCallAdapter(), [listener], SharedState())
    broken = [[*body, Broken("rst")] for body in bodies[:-1]]
    play(flavour, made, [*broken, [*bodies[-1], [DONE] if last is DONE else last]], items)
    assert all(at == had for at, had in points)
    assert listener.end.text == text_of(items)
    assert len(listener.end.resume_points) == len(points)
    if listener.end.outcome is Outcome.RECOVERED_RESUME:
        assert points
