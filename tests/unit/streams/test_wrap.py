"""`l0.wrap` refuses at once what it cannot wrap, and says so if nothing uses its result."""

import asyncio

import pytest
from makers import collected

import l0
from l0 import Fallback, Policy, PolicyError, Timeout, UnknownStreamError


def texts():
    yield "text"


@pytest.mark.parametrize("thing", [42, None, b"text", {"a": 1}, object(), 1.5])
def test_wrap_refuses_something_that_is_not_a_stream(thing):
    with pytest.raises(UnknownStreamError, match=rf"the stream is a builtins\.{type(thing).__name__}"):
        l0.wrap(thing)


@pytest.mark.parametrize(
    ("options", "field", "allowed"),
    [
        ({"time_out": 5}, "time_out", "did you mean timeout?"),
        ({"zzz": 5}, "zzz", "no such option; one of fallbacks, timeout"),
        ({"truncation": "strict"}, "truncation", "did you mean policy=l0.Policy(truncation=...)?"),
        ({"budget": True}, "budget", "did you mean policy=l0.Policy(budget=...)?"),
        ({"fallback": ()}, "fallback", "did you mean fallbacks?"),
        ({"fallbacks": "texts"}, "fallbacks", "a list of functions"),
        ({"fallbacks": ""}, "fallbacks", "a list of functions"),
        ({"fallbacks": texts}, "fallbacks", "a list of functions"),
        ({"resume": "prefill"}, "resume", "one of off"),
        ({"resume": "splice"}, "stream", "the text so far"),
        ({"policy": Timeout()}, "policy", "an l0.Policy"),
    ],
)
def test_wrap_refuses_a_bad_option_at_once(options, field, allowed):
    with pytest.raises(PolicyError) as raised:
        l0.wrap(texts, **options)
    assert raised.value.field == field
    assert allowed in raised.value.allowed


def test_stream_that_nothing_reads_warns_at_the_line_that_wrapped_it():
    def forgotten():
        l0.wrap(texts)  # this line
        collected()

    with pytest.warns(RuntimeWarning, match="sends no request by itself") as caught:
        forgotten()
    assert (caught[0].filename, caught[0].lineno) == (__file__, forgotten.__code__.co_firstlineno + 1)


def test_stream_that_is_read_does_not_warn():
    with l0.wrap(texts) as stream:
        assert stream.read() == "text"
    collected()


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        (Policy(fallback=Fallback(model="other")), "policy.fallback"),
        (Policy(hedge=True, adaptive=True), "policy.hedge, policy.adaptive"),
        (Policy(structured=True), "policy.structured"),
    ],
)
def test_policy_of_a_call_that_the_explicit_api_cannot_follow_warns_at_the_call(policy, named):
    with pytest.warns(RuntimeWarning, match=f"^the explicit API ignores {named}, which") as caught:
        assert l0.run_sync(texts, policy=policy).read() == "text"
    assert [one.filename for one in caught] == [__file__]


def test_policy_of_the_block_may_have_fields_for_instrumented_calls():
    async def number():
        with l0.policy(hedge=True, structured=True):
            return await l0.l0.structured(int, lambda: iter(["42"]))

    with l0.policy(hedge=True):
        assert l0.run_sync(texts).read() == "text"
    assert asyncio.run(number()).value == 42


def test_sdk_whose_import_name_has_several_parts_is_found_by_its_client(monkeypatch):
    base = type("SyncAPIClient", (), {"__module__": "own.cloud.sdk._base_client", "copy": lambda self: type(self)()})
    asked = []
    monkeypatch.setattr("l0.streams.wrap.instrument_sdk", asked.append)
    client = type("Own", (base,), {"__module__": "own.cloud.sdk"})()
    assert isinstance(l0.wrap(client), type(client))
    assert asked == ["own.cloud.sdk"]
