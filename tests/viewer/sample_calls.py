"""A half hour of calls as L0 reports them, the same each time: for pictures, and for tests that need many."""

import json
import time
from collections.abc import Iterator
from random import Random
from typing import Any

from viewer_client import ViewerClient, attributes, call, nanoseconds, span

MODELS = (("openai", "gpt-4o", 420), ("anthropic", "claude-sonnet-4-5", 610), ("openai", "gpt-4o-mini", 230))
SERVICES = ("checkout-assistant", "support-bot")
CAUSES = ("unavailable", "reset", "rate_limit", "overloaded", "truncated", "stalled")
REFUSALS = ("unavailable", "rate_limit", "overloaded")
"""Causes for which the bare SDK sends a request again too."""
RECOVERED = ("recovered_retry",) * 3 + ("recovered_resume", "recovered_fallback")
HALF_HOUR_MS = 1_800_000
TROUBLE_MS = range(750_000, 950_000)
CALLS = 360
EVENTFUL = CALLS + 1
"""The number of the call with three attempts and a hedge."""
QUESTION = "Is my order on its way?"
ANSWER = "Yes: it left the warehouse this morning, and arrives tomorrow before noon."


def send_sample(viewer: ViewerClient) -> None:
    """Send the sample to a viewer."""
    random = Random(16)
    calls = [made(number, random) for number in range(1, CALLS + 1)]
    for at, service in enumerate(SERVICES):
        viewer.send(*calls[at :: len(SERVICES)], service=service)
    viewer.send(*eventful(), service=SERVICES[0])
    viewer.post_json("metrics", budgets())


def made(number: int, random: Random) -> dict[str, Any]:
    """Return the span of one ordinary call."""
    provider, model, first_ms = random.choices(MODELS, (5, 4, 3))[0]
    at = random.uniform(0, HALF_HOUR_MS)
    broken = random.random() < (0.6 if int(at) in TROUBLE_MS else 0.07)
    outcome = random.choice((*RECOVERED, "failed", "cancelled")) if broken else "ok"
    waited_ms = first_ms * random.lognormvariate(0, 0.3) + (900 if outcome in RECOVERED else 0)
    tokens = random.randint(20, 400)
    known: dict[str, Any] = {
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "l0.outcome": outcome,
        "gen_ai.usage.input_tokens": random.randint(60, 2_400),
        "gen_ai.response.finish_reasons": ["stop"],
    }
    if outcome == "failed":
        known |= failed(random.choice(CAUSES))
    else:
        known |= {"gen_ai.response.time_to_first_chunk": waited_ms / 1e3, "gen_ai.usage.output_tokens": tokens}
        known |= {"l0.gap.p95": random.lognormvariate(-3.3, 0.3), "l0.gap.max": random.lognormvariate(-2.2, 0.4)}
    if outcome in RECOVERED:
        known |= {"l0.attempts": 2, "l0.retry.causes": [random.choice(CAUSES)], "l0.wasted_tokens": tokens // 5}
        known |= {"l0.sdk_retries": int(known["l0.retry.causes"][0] in REFUSALS), "l0.recovery_time": 0.9}
    return call(number, known, at=at, ms=waited_ms + 16 * tokens, name=f"chat {model}")


def failed(cause: str) -> dict[str, Any]:
    return {
        "l0.cause": cause,
        "error.type": "APIStatusError",
        "l0.attempts": 3,
        "l0.retry.causes": [cause, cause],
        "l0.sdk_retries": 2 * (cause in REFUSALS),
        "l0.recovery_time": 1.4,
        "l0.stop.reason": "all retries are used (Retry.max_retries=2)",
        "l0.stop.policy_field": "Retry.max_retries",
    }


def eventful() -> Iterator[dict[str, Any]]:
    """Yield the spans of a call with three attempts: a refused one, a slow one, and the hedge that served it."""
    at = HALF_HOUR_MS + 4_000.0
    known = {
        "l0.outcome": "recovered_hedge",
        "l0.attempts": 3,
        "l0.retry.causes": ["unavailable"],
        "l0.sdk_retries": 1,
        "l0.recovery_time": 0.258,
        "gen_ai.response.time_to_first_chunk": 0.965,
        "l0.time_to_first_content": 0.262,
        "l0.gap.p95": 0.021,
        "l0.gap.max": 0.068,
        "gen_ai.usage.input_tokens": 412,
        "gen_ai.usage.output_tokens": 85,
        "gen_ai.response.finish_reasons": ["stop"],
        "l0.timeline": [0] * 19 + [2, 5, 6, 6, 5, 6, 7, 6, 3, 0, 5, 6, 6, 7, 5, 6, 4],
        "l0.timeline.bucket": 0.05,
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}]),
    }
    finding = {
        "l0.guardrail.rule": "repetition",
        "l0.guardrail.severity": "warning",
        "l0.guardrail.action": "recorded",
        "l0.guardrail.message": "the sentence is repeated",
        "l0.guardrail.at": 214,
    }
    moment = str(nanoseconds(at + 1_720))
    event = {"name": "l0.guardrail.violation", "timeUnixNano": moment, "attributes": attributes(finding)}
    yield call(EVENTFUL, known, at=at, ms=1_790, name="chat gpt-4o", events=[event], parent=EVENTFUL + 1)
    route = "POST /orders/{id}/chat"
    yield span(EVENTFUL + 1, {"http.route": route}, trace=EVENTFUL, name=route, kind=2, at=at - 9, ms=1_812)
    refused = {"l0.attempt.cause": "unavailable", "http.response.status_code": 503}
    yield attempt(1, refused, at + 3, 64, error="unavailable status 503: the provider is not available")
    yield attempt(2, {"l0.attempt.lost": True, "l0.backoff": 0.194}, at + 261, 704)
    yield attempt(3, {"l0.attempt.hedge": True, "http.response.status_code": 200}, at + 703, 1_087)


def attempt(number: int, known: dict[str, Any], at: float, ms: float, **fields: Any) -> dict[str, Any]:
    known |= {"l0.attempt.number": number}
    of_call = {"trace": EVENTFUL, "parent": EVENTFUL, "name": f"attempt {number}", "kind": 1}
    return span(EVENTFUL + 1 + number, known, at=at, ms=ms, **of_call, **fields)


def budgets() -> dict[str, Any]:
    """Return metrics of two objectives, one of which burns too fast."""
    states = (("answers complete", 0.62, 0.8), ("first word in 1 s", 0.18, 6.4))
    metrics = [
        {"name": name, "gauge": {"dataPoints": [budget_point(slo, values[at]) for slo, *values in states]}}
        for at, name in enumerate(("l0.slo.error_budget.remaining", "l0.slo.burn_rate"))
    ]
    resource = {"attributes": attributes({"service.name": SERVICES[0]})}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}


def budget_point(slo: str, value: float, window: str = "30d") -> dict[str, Any]:
    known = {"l0.slo": slo, "l0.slo.layer": "delivered", "l0.slo.window": window, "gen_ai.request.model": "gpt-4o"}
    return {"timeUnixNano": str(time.time_ns()), "asDouble": value, "attributes": attributes(known)}
