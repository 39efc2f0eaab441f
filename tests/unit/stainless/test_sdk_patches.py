"""Patches go on and come off; calls that are none of ours are left alone; what one call may cost in all."""

import functools
import json
from contextlib import nullcontext
from inspect import signature

import anthropic
import openai
import pytest

import l0
from l0.simulator.faults import Fault as F
from l0.stainless.sdk import Sdk
from l0.stainless.sdk_patches import SdkPatches
from l0_openai.provider import OpenAIProvider

TRANSFORMS = ("transform", "async_transform")
TARGETS = [
    (module.__name__, owner, name)
    for module in (openai, anthropic)
    for owner, name in (
        (module._base_client.SyncAPIClient, "request"),
        (module._base_client.AsyncAPIClient, "request"),
        (module._streaming.Stream, "__stream__"),
        (module._streaming.AsyncStream, "__stream__"),
        (getattr(module._utils, "_transform", None), "transform"),
        (getattr(module._utils, "_transform", None), "async_transform"),
    )
    if owner is not None and (name not in TRANSFORMS or Sdk(module.__name__).parameters.unsupported == "")
]
MESSAGES = [{"role": "user", "content": "hello"}]


def functions():
    return [vars(owner)[name] for _, owner, name in TARGETS]


def chat(client, **more):
    stream = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True, **more)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@pytest.fixture
def client(server):
    server.reset()
    with openai.OpenAI(api_key="x", base_url=server.openai) as made:
        made._calculate_retry_timeout = lambda *_: 0.0
        yield made


def test_instrument_patches_and_uninstrument_restores_the_very_functions():
    before = functions()
    l0.instrument()
    try:
        assert all(now is not then for now, then in zip(functions(), before, strict=True))
        patched = functions()
        l0.instrument()  # again: nothing is patched twice
        assert all(now is then for now, then in zip(functions(), patched, strict=True))
    finally:
        l0.uninstrument()
    assert all(now is then for now, then in zip(functions(), before, strict=True))
    l0.uninstrument()
    assert all(now is then for now, then in zip(functions(), before, strict=True))


def test_under_a_foreign_wrapper_ours_becomes_a_pass_through(client, server):
    before = functions()
    l0.instrument()
    owner, calls = openai._base_client.SyncAPIClient, []
    ours = owner.__dict__["request"]

    @functools.wraps(ours)
    def foreign(self, *args, **kwargs):
        calls.append("foreign")
        return ours.__get__(self)(*args, **kwargs)

    owner.request = foreign
    l0.uninstrument()
    try:
        assert owner.__dict__["request"] is foreign
        server.script(F.status(401))
        with pytest.raises(openai.AuthenticationError):
            chat(client)
        assert chat(client)
        assert calls == ["foreign"] * 2
    finally:
        owner.request = before[0]
    assert functions()[1:] == before[1:]


def test_a_wrapper_that_was_there_before_still_sees_every_stream(client, monkeypatch):
    seen, original = [], openai._streaming.Stream.__stream__

    @functools.wraps(original)
    def foreign(self):
        for item in original(self):
            seen.append(item)
            yield item

    monkeypatch.setattr(openai._streaming.Stream, "__stream__", foreign)
    l0.instrument()
    try:
        assert chat(client)
    finally:
        l0.uninstrument()
    assert seen


@pytest.fixture
def transforms():
    module = Sdk("openai").transforms
    if module is None or Sdk("openai").parameters.unsupported:
        pytest.skip("this SDK transforms its parameters in another way: that is left alone")
    return module


@pytest.mark.parametrize("lacking", ["transform", "async_transform"])
def test_an_sdk_without_one_transformation_is_patched_all_the_same(transforms, monkeypatch, lacking):
    monkeypatch.delattr(transforms, lacking)
    seam = SdkPatches(sdk := Sdk("openai"), functools.partial(OpenAIProvider, sdk))
    seam.apply()
    seam.undo()
    assert not hasattr(transforms, lacking)


def test_a_transformation_that_is_asked_in_another_way_is_the_sdks(transforms):
    l0.instrument()
    try:
        for given in ({"data": {"a": 1}, "expected_type": object}, {"data": {"a": 1}, "more": 2}):
            with pytest.raises(TypeError, match=r"^transform\(\)") if "more" in given else nullcontext():
                assert transforms.transform(**given) == {"a": 1}
    finally:
        l0.uninstrument()


def test_an_sdk_that_lacks_a_function_is_not_patched_by_half(monkeypatch):
    before = functions()
    monkeypatch.delattr(openai._streaming.AsyncStream, "__stream__")
    sdk = Sdk("openai")
    with pytest.raises(AttributeError, match="lacks the functions"):
        SdkPatches(sdk, functools.partial(OpenAIProvider, sdk)).apply()
    monkeypatch.undo()
    assert functions() == before


def test_a_stream_that_is_being_read_is_read_to_its_end(client):
    l0.instrument()
    stream = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    iterator = iter(stream)
    first = next(iterator)
    l0.uninstrument()
    rest = list(iterator)
    assert first.choices
    assert rest[-1].choices[0].finish_reason == "stop"


@pytest.mark.usefixtures("instrumented")
def test_calls_that_are_no_inference_are_left_alone(client, server):
    assert client.models.list().data
    with pytest.raises(openai.NotFoundError):
        client.get("/nothing/of/the/kind", cast_to=object)
    assert all(request.dialect is None for request in server.requests)


@pytest.mark.usefixtures("instrumented")
def test_clients_built_before_are_covered_and_their_options_are_not_changed(client, server):
    server.script(F.clean_end(at_event=0))
    assert chat(client)
    assert client.max_retries == 2
    assert len(server.requests) == 2


@pytest.mark.usefixtures("instrumented")
def test_the_counts_that_the_sdk_shows_stay_true(client, server):
    server.script(F.status(503), F.status(503))
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)
    assert raw.retries_taken == 2
    counts = [request.headers.get("x-stainless-retry-count") for request in server.requests]
    assert counts == ["0", "1", "2"]


@pytest.mark.usefixtures("instrumented")
def test_the_whole_time_bounds_all_attempts_together(client, server):
    server.script(*[F.no_headers(0.15)] * 5)
    with (
        l0.policy(timeout=l0.Timeout(initial_token=None, total=250), retry=l0.Retry(base_delay=0)),
        pytest.raises(openai.APIConnectionError),
    ):
        chat(client)
    assert len(server.requests) <= 2  # a third would begin after 300 ms


@pytest.mark.skipif(
    "content" not in signature(openai.OpenAI.post).parameters, reason="bodies of bytes came with openai 2"
)
@pytest.mark.usefixtures("instrumented")
def test_a_body_that_can_be_read_only_once_is_not_sent_twice(client, server):
    body = json.dumps({"model": "gpt-4o", "messages": MESSAGES}).encode()
    server.script(F.refuse())
    with l0.policy(retry=l0.Retry(base_delay=0)), pytest.raises(openai.APIConnectionError):
        client.post(
            "/chat/completions",
            cast_to=object,
            content=(part for part in [body]),
            options={"headers": {"content-type": "application/json"}},
        )
    assert len(server.requests) == 1


@pytest.mark.usefixtures("instrumented")
def test_after_a_restart_the_users_response_is_the_one_in_use(client, server):
    server.script(F.clean_end(at_event=0))
    stream = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    response = stream.response
    first_id = response.headers["x-request-id"]
    list(stream)
    assert stream.response is response
    assert response.headers["x-request-id"] != first_id
    assert response.is_closed
