"""A user's program: real SDKs, instrumented by one line, that report to a collector. The tests run it in a process of
its own. It prints, as JSON, the results of its calls and the requests that the simulated provider received.

The provider injects faults. Some calls are not in the demo's plan, because they need a policy or a particular fault: a
fallback, a hedge, a resumed answer, a stall, a truncated answer, an anomaly, a rule match, a prompt with a secret.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anthropic
import openai
from opentelemetry import trace

import l0
import l0.slo
from l0.cli.demo.demo_provider import CALL_ID_HEADER, ScriptedSimulator, provider
from l0.cli.demo.judge import AnswerVerdict, Result, judge
from l0.cli.demo.load import aread, available_apis, read
from l0.cli.demo.plan import SDKS, Api, KnownAnswer, PlannedCall, plan, shipped
from l0.simulator import corpus
from l0.simulator.faults import Fault
from l0.simulator.pacing import Delays
from l0.simulator.simulator_config import SimulatorConfig

SERVICE = "l0-backends-load"
SECRET = "sk-proj-thisisnorealkey0123456789"
"""A secret that a careless user pastes into a prompt."""
ROUNDS = 4
"""The number of parts in which the plan is run, with a pause after each: a rate needs a series that grows between two
scrapes."""
THREADS = 8
STALL = 10.4
"""Seconds without content. L0 reports a stall after ten."""
MODEL, SPARE = "simulated", "simulated-spare"
"""The model of the primary, and that of the fallback, which `specials` uses once per round and provider."""
SPECIAL = 100_000
"""The number of the first special call. Each round has a hundred numbers."""
HEDGED = 7
"""The number, within a round, of the call that is hedged."""
SLOW = 1.5
TRACER = trace.get_tracer("app")


@dataclass(slots=True)
class CallLog:
    """The calls by number: the trace id, and the verdict on what the caller received."""

    traces: dict[int, str] = field(default_factory=dict)
    verdicts: dict[int, str] = field(default_factory=dict)

    @contextmanager
    def span(self, number: int) -> Iterator[None]:
        """The application's own span around one call."""
        with TRACER.start_as_current_span("handle request", attributes={"app.call": number}) as span:
            self.traces[number] = f"{span.get_span_context().trace_id:032x}"
            yield

    def note(self, result: Result) -> None:
        verdict = judge(result)
        unexpected = verdict is AnswerVerdict.FOREIGN  # so that a test that fails shows the exception
        self.verdicts[result.call.number] = f"{verdict}: {result.error!r}" if unexpected else str(verdict)


def special(number: int, api: Api, *faults: Fault, answer: str = "story") -> PlannedCall:
    """Return a call that is not in the demo's plan."""
    known = KnownAnswer(name=f"answer {answer}", content=corpus.answers()[answer].text)
    return PlannedCall(number=number, api=api, concurrent="threads", answer=known, faults=faults)


def hedged(number: int) -> bool:
    """Return True if a call's second request is a hedge and not a retry."""
    return SPECIAL <= number < SPECIAL + 100 * ROUNDS and number % 100 == HEDGED


def specials(round_: int) -> list[tuple[PlannedCall, dict[str, Any]]]:
    """Return the special calls of a round, each with the policy that it needs."""
    base = SPECIAL + 100 * round_
    spare = {"fallback": l0.Fallback(model=SPARE), "retry": l0.Retry(max_retries=0)}
    watched = {"guardrails": l0.Guardrails.pattern_rule(["count"], "it counts", severity="warning"), "drift": True}
    return [
        (special(base + 1, "chat", Fault.status(503)), spare),
        (special(base + 2, "messages", Fault.status(529)), spare),
        (special(base + 3, "chat", Fault.cut(at_event=12)), {"resume": "exact", "retry": l0.Retry()}),
        (special(base + 4, "messages", Fault.cut(at_event=12)), {"resume": "exact", "retry": l0.Retry()}),
        (special(base + 5, "chat", Fault.clean_end(at_event=12)), {"truncation": "warn"}),
        (special(base + 6, "chat", Fault.no_finish_reason()), {}),
        (special(base + HEDGED, "chat", Fault.stall(at_event=0, seconds=SLOW)), {"hedge": l0.Hedge(after=100)}),
        (special(base + 8, "chat", answer="repetition"), watched),
        (special(base + 9, "chat", Fault.status(503)), {"mode": "shadow"} | spare),
    ]


def clients(simulator: ScriptedSimulator, kinds: dict[str, Callable[..., Any]]) -> dict[Api, Any]:
    """Create one client of each SDK. Return the client of each API."""
    urls = {"openai": simulator.openai, "anthropic": simulator.anthropic}
    made = {sdk: kind(api_key="none", base_url=urls[sdk]) for sdk, kind in kinds.items()}
    return {api: made[sdk] for api, sdk in SDKS.items() if sdk in made}


def in_threads(
    call_log: CallLog, simulator: ScriptedSimulator, calls: list[tuple[PlannedCall, dict[str, Any]]]
) -> None:
    with ExitStack() as stack:
        made = clients(simulator, {"openai": openai.OpenAI, "anthropic": anthropic.Anthropic})
        for client in set(made.values()):
            stack.enter_context(client)

        def one(item: tuple[PlannedCall, dict[str, Any]]) -> None:
            call, changes = item
            with call_log.span(call.number), l0.policy(**changes):
                call_log.note(read(made, call, "load"))

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, calls))


async def in_tasks(call_log: CallLog, simulator: ScriptedSimulator, calls: list[PlannedCall]) -> None:
    made = clients(simulator, {"openai": openai.AsyncOpenAI, "anthropic": anthropic.AsyncAnthropic})
    busy = asyncio.Semaphore(THREADS)

    async def one(call: PlannedCall) -> None:
        async with busy:
            with call_log.span(call.number):
                call_log.note(await aread(made, call, "load"))

    await asyncio.gather(*map(one, calls))
    for client in set(made.values()):
        await client.close()


def send_secret(call_log: CallLog, simulator: ScriptedSimulator) -> None:
    """Send a prompt that holds a secret; its content is captured if the environment says so."""
    with clients(simulator, {"openai": openai.OpenAI})["chat"] as client, call_log.span(200_000):
        messages = [{"role": "user", "content": f"My key is {SECRET}, keep it."}]
        client.chat.completions.create(model=MODEL, messages=messages, extra_headers={CALL_ID_HEADER: "load-200000"})
    call_log.verdicts[200_000] = "whole"


def warm_up(call_log: CallLog, simulator: ScriptedSimulator, planned: list[PlannedCall]) -> None:
    """Request one complete answer of each API, so that L0 knows that this origin sends terminal events."""
    firsts = {call.api: replace(call, faults=(), number=300_000 + call.number) for call in reversed(planned)}
    in_threads(call_log, simulator, [(call, {}) for call in firsts.values()])


def work(call_log: CallLog, simulator: ScriptedSimulator, planned: list[PlannedCall]) -> None:
    with ThreadPoolExecutor(ROUNDS) as beside:
        stalls = []
        for part in range(ROUNDS):
            # One per round, so that each is exported separately: a rate ignores the first point of a series.
            stall = special(400_000 + part, "chat", Fault.stall(at_event=6, seconds=STALL))
            stalls.append(beside.submit(in_threads, call_log, simulator, [(stall, {})]))
            calls = planned[part::ROUNDS]
            threads = [call for call in calls if call.concurrent == "threads"]
            in_threads(call_log, simulator, [*((call, {}) for call in threads), *specials(part)])
            asyncio.run(in_tasks(call_log, simulator, [call for call in calls if call.concurrent == "asyncio"]))
            if part == 0:
                send_secret(call_log, simulator)
            time.sleep(1.5)
        for waiting in stalls:
            waiting.result()


def report(call_log: CallLog, simulator: ScriptedSimulator, memory_before_kb: int) -> dict[str, Any]:
    simulator.wait_idle(120)
    return {
        "service": SERVICE,
        "traces": call_log.traces,
        "verdicts": call_log.verdicts,
        "requests": [
            {
                "call": int(got.headers[CALL_ID_HEADER].removeprefix("load-")),
                "dialect": got.dialect,
                "answered": got.answered,
            }
            for got in simulator.requests
            if got.dialect is not None
        ],
        "objectives": [
            {
                "slo": one.objective.name,
                "provider": one.provider,
                "model": one.model,
                "bad": one.count.bad,
                "total": one.count.total,
                "budget": one.budget_left,
            }
            for one in l0.slo.report().statuses
        ],
        "memory_kb": [memory_before_kb, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss],
    }


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--otlp", required=True)
    options.add_argument("--calls", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--faults", type=float, default=0.3)
    chosen = options.parse_args()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    l0.instrument(otlp=chosen.otlp)
    planned = plan(chosen.calls, chosen.seed, chosen.faults, shipped(corpus.answers()), available_apis())
    call_log = CallLog()
    with provider(SimulatorConfig(seed=chosen.seed, delays=Delays(first_token_ms=5, inter_token_ms=1))) as simulator:
        warm_up(call_log, simulator, planned)
        memory_before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print("warm", file=sys.stderr, flush=True)
        work(call_log, simulator, planned)
        print(json.dumps(report(call_log, simulator, memory_before_kb)), flush=True)


if __name__ == "__main__":
    main()
