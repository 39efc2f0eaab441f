"""Functions that other libraries put on the SDK's clients before l0 comes, around the SDK's own."""

import asyncio
import functools
import warnings
from inspect import iscoroutinefunction
from types import FunctionType

import openai
import pytest

import l0
from l0.simulator.faults import Fault

HELLO = [{"role": "user", "content": "hi"}]
seen = []
opened = []
runner = asyncio.Runner()


def put_on(holder):
    """Wrap ``request`` of a class or a client, as logfire does; return what takes it off."""
    original = holder.request
    holder._original_request_method = original

    def request(*args, **kwargs):
        seen.append("call")
        return original(*args, **kwargs)

    async def arequest(*args, **kwargs):
        seen.append("call")
        return await original(*args, **kwargs)

    code = arequest if iscoroutinefunction(original) else request
    own = FunctionType(code.__code__, {"__name__": "a_library.tracing", "seen": seen}, closure=code.__closure__)
    holder.request = functools.wraps(original)(own)
    return lambda: setattr(holder, "request", holder._original_request_method)


@pytest.fixture(autouse=True, scope="module")
def running():
    yield
    runner.close()


@pytest.fixture(autouse=True)
def cleaned(server):
    server.reset()
    seen.clear()
    yield
    l0.uninstrument()
    while opened:
        client = opened.pop()
        runner.run(client.close()) if isinstance(client, openai.AsyncOpenAI) else client.close()
    for kind in (openai.OpenAI, openai.AsyncOpenAI):
        for name in ("request", "_original_request_method"):
            if name in vars(kind):
                delattr(kind, name)


def client_of(server, kind):
    made = kind(api_key="k", base_url=server.openai)
    made._calculate_retry_timeout = lambda *_: 0.0
    opened.append(made)
    return made


def text(client, stream=True):
    """The answer of one call, through a sync or an async client."""

    async def read():
        answer = await client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=stream)
        if not stream:
            return answer.choices[0].message.content
        return "".join([chunk.choices[0].delta.content or "" async for chunk in answer if chunk.choices])

    if isinstance(client, openai.AsyncOpenAI):
        return runner.run(read())
    answer = client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=stream)
    if not stream:
        return answer.choices[0].message.content
    return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)


KINDS = pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])


@KINDS
def test_wrapper_of_a_client_class_calls_the_patch(server, kind):
    put_on(kind)
    l0.instrument()
    server.script(Fault.cut(at_event=0))
    assert text(client_of(server, kind))
    assert (len(server.requests), seen) == (2, ["call"])  # the engine is below the wrapper: one call, two attempts


@KINDS
def test_wrapper_of_a_wrapper_calls_the_patch(server, kind):
    put_on(kind)
    put_on(kind)
    l0.instrument()
    server.script(Fault.cut(at_event=0))
    assert text(client_of(server, kind))
    assert (len(server.requests), len(seen)) == (2, 2)


@KINDS
def test_wrapper_that_is_taken_off_leaves_the_patch(server, kind):
    take_off = put_on(kind)
    l0.instrument()
    take_off()
    server.script(Fault.cut(at_event=0))
    assert text(client_of(server, kind))
    assert (len(server.requests), seen) == (2, [])


@KINDS
def test_wrapper_calls_the_sdks_function_again_after_uninstrument(server, kind):
    original = kind.request
    put_on(kind)
    wrapper = kind.request
    l0.instrument()
    l0.uninstrument()
    assert kind.request is wrapper
    assert original in [cell.cell_contents for cell in wrapper.__closure__]
    assert wrapper.__wrapped__ is kind._original_request_method is original


@KINDS
@pytest.mark.parametrize("stream", [True, False])
def test_wrapper_of_a_client_is_noticed_once_at_the_callers_line(server, kind, stream):
    client = client_of(server, kind)
    put_on(client)
    l0.instrument()
    with pytest.warns(RuntimeWarning, match=f"{kind.__name__} client: a_library was put on it") as warned:
        assert text(client, stream)
    assert [one.filename for one in warned] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert text(client, stream)


@KINDS
@pytest.mark.parametrize("stream", [True, False])
def test_wrapper_of_a_client_that_came_after_l0_is_no_reason_to_warn(server, kind, stream):
    l0.instrument()
    client = client_of(server, kind)
    put_on(client)
    server.script(Fault.cut(at_event=0) if stream else Fault.status(503))
    assert text(client, stream)
    assert len(server.requests) == 2
