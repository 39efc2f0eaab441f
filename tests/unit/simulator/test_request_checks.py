"""Requests that are refused as a provider does: by key, model, context and rate."""

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from l0.simulator.access import RateLimiter, RateLimits
from l0.simulator.server import Simulator
from l0.simulator.simulator_config import SimulatorConfig
from l0.testing import simulator

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi" * 40}]}
"""A prompt of 20 tokens."""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def clients(sim: Simulator, key: str = "k") -> tuple[openai.OpenAI, anthropic.Anthropic]:
    return (
        openai.OpenAI(api_key=key, base_url=sim.openai, max_retries=0),
        anthropic.Anthropic(api_key=key, base_url=sim.anthropic, max_retries=0),
    )


@pytest.fixture
def opened() -> Iterator[Any]:
    """Return a function that makes clients of both SDKs, and close them."""
    made: list[Any] = []

    def make(sim: Simulator, key: str = "k") -> tuple[openai.OpenAI, anthropic.Anthropic]:
        pair = clients(sim, key)
        made.extend(pair)
        return pair

    yield make
    for client in made:
        client.close()


def test_other_keys_are_refused(opened: Any) -> None:
    with simulator(api_keys=["sk-one", "sk-two"]) as sim:
        one, two = opened(sim, "sk-two")
        assert one.chat.completions.create(**ASKED)
        assert two.messages.create(**ASKED, max_tokens=99)
        one, two = opened(sim, "sk-three")
        with pytest.raises(openai.AuthenticationError) as openai_error:
            one.models.list()
        assert openai_error.value.code == "invalid_api_key"
        with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
            two.messages.create(**ASKED, max_tokens=99)
        assert one.get("/../health", cast_to=object) == {"status": "ok"}
        assert [received.answered for received in sim.requests] == ["ok", "ok", "status 401", "status 401", "ok"]
    assert "sk-one" not in repr(sim.config)


def test_azure_key_is_accepted(opened: Any) -> None:
    with simulator(api_keys=["azure"]) as sim:
        one, _ = opened(sim, "other")
        assert one.chat.completions.create(**ASKED, extra_headers={"api-key": "azure"})


def test_only_the_given_models_exist(opened: Any) -> None:
    with simulator(models=["m", "claude"]) as sim:
        one, two = opened(sim)
        assert [model.id for model in one.models.list()] == ["m", "claude"]
        assert [model.id for model in two.models.list()] == ["m", "claude"]
        assert one.models.retrieve("claude").id == "claude"
        assert one.chat.completions.create(**ASKED)
        with pytest.raises(openai.NotFoundError) as openai_error:
            one.chat.completions.create(**ASKED | {"model": "gpt-9"})
        assert openai_error.value.code == "model_not_found"
        with pytest.raises(anthropic.NotFoundError, match="model: gpt-9"):
            two.messages.create(**ASKED | {"model": "gpt-9"}, max_tokens=99)


def test_context_holds_prompt_and_answer(opened: Any) -> None:
    with simulator(context_tokens=30) as sim:
        one, two = opened(sim)
        assert one.chat.completions.create(**ASKED)
        assert one.chat.completions.create(**ASKED, max_tokens=10)
        with pytest.raises(openai.BadRequestError, match="maximum context length is 30 tokens") as error:
            one.chat.completions.create(**ASKED, max_tokens=11)
        assert error.value.code == "context_length_exceeded"
        with pytest.raises(anthropic.BadRequestError, match=r"exceed context limit: 20 \+ 11 > 30"):
            two.messages.create(**ASKED, max_tokens=11)
    with simulator(context_tokens=19) as sim:
        one, two = opened(sim)
        with pytest.raises(openai.BadRequestError, match="20 in the messages"):
            one.completions.create(model="m", prompt="hi" * 40)
        with pytest.raises(anthropic.BadRequestError, match="prompt is too long: 20 tokens > 19 maximum"):
            two.messages.create(**ASKED, max_tokens=1)


def test_rate_limits_are_reported_and_enforced(opened: Any) -> None:
    with simulator(requests_per_minute=2, input_tokens_per_minute=1000) as sim:
        one, two = opened(sim)
        sim.script("status 503", "ok")
        with pytest.raises(openai.InternalServerError) as first:
            one.chat.completions.create(**ASKED)
        headers = first.value.response.headers
        assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("2", "1")
        assert headers["x-ratelimit-remaining-tokens"] == "980"
        raw = two.messages.with_raw_response.create(**ASKED, max_tokens=99)
        assert raw.headers["anthropic-ratelimit-requests-remaining"] == "0"
        assert raw.headers["anthropic-ratelimit-input-tokens-limit"] == "1000"
        with pytest.raises(openai.RateLimitError, match="Please try again in") as limited:
            one.chat.completions.create(**ASKED)
        assert limited.value.code == "rate_limit_exceeded"
        assert 1 <= int(limited.value.response.headers["retry-after"]) <= 30
        with pytest.raises(anthropic.RateLimitError) as also:
            two.messages.create(**ASKED, max_tokens=99)
        assert "retry-after-ms" not in also.value.response.headers
        assert [received.answered for received in sim.requests] == ["status 503", "ok", "status 429", "status 429"]


def test_limits_refill_within_a_minute() -> None:
    clock = Clock()
    limiter = RateLimiter(RateLimits(requests_per_minute=2, input_tokens_per_minute=100), clock)
    assert [limiter.take(10), limiter.take(10), limiter.take(10)] == [0, 0, 30]
    clock.now += 30
    assert limiter.take(10) == 0
    clock.now += 60
    assert limiter.states()["requests"].limit == 2
    assert limiter.take(500) == 0, "a request larger than the limit is served by a full bucket"
    assert limiter.take(10) == pytest.approx(246)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context_tokens": 0}, "context_tokens: 0 given, allowed is 1 or more"),
        ({"api_keys": "sk-canary"}, "api_keys: a string given, allowed is a tuple of names"),
        ({"models": "gpt-4o"}, "models: 'gpt-4o' given, allowed is a tuple of names"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        SimulatorConfig(**options)
    with pytest.raises((TypeError, ValueError), match=message):
        simulator(**options)


def test_invalid_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="requests_per_minute: 0 given, allowed is 1 or more"):
        simulator(requests_per_minute=0)
