"""The one table: what the server does, what the policy is, what the user does; and what must come of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from l0.model.policy import Fallback, Hold, Policy, Retry, Timeout
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.faults import Fault as F
from l0.simulator.ledger import Reply

Use = Literal["all", "first", "break", "unread", "raw", "lines", "helper", "whole"]
FAILED, RETRIED, LEFT = "failed", "recovered_retry", "cancelled"
MESSAGES = [{"role": "user", "content": "hello"}]


@dataclass(frozen=True, kw_only=True)
class CallOf:
    """The calls of a dialect. ``final``: the method of its ``.stream()`` helper that returns the complete answer."""

    sdk: Literal["openai", "anthropic"]
    resource: Callable[[Any], Any]
    arguments: dict[str, Any]
    final: str = ""


CALLS: dict[str, CallOf] = {
    "chat": CallOf(
        sdk="openai",
        resource=lambda client: client.chat.completions,
        arguments={"model": "gpt-4o", "messages": MESSAGES},
        final="get_final_completion",
    ),
    "completions": CallOf(
        sdk="openai",
        resource=lambda client: client.completions,
        arguments={"model": "gpt-3.5-turbo-instruct", "prompt": "hello"},
    ),
    "responses": CallOf(
        sdk="openai",
        resource=lambda client: client.responses,
        arguments={"model": "gpt-4o", "input": "hello", "store": False},
        final="get_final_response",
    ),
    "messages": CallOf(
        sdk="anthropic",
        resource=lambda client: client.messages,
        arguments={"model": "claude-haiku-4-5", "max_tokens": 4096, "messages": MESSAGES},
        final="get_final_message",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One row. ``outcome`` and ``requests``: what must come of it, whoever drives."""

    name: str
    api: str
    script: tuple[Any, ...] = ()
    policy: Policy = field(default_factory=Policy)
    use: Use = "all"
    more: dict[str, Any] = field(default_factory=dict)
    max_retries: int | None = None
    outcome: str = "ok"
    requests: int = 1

    def __str__(self) -> str:
        return f"{self.api}: {self.name}"


STRICT = Policy(truncation="strict")
AGAIN = Policy(truncation="strict", retry=Retry(base_delay=0))
IN_TIME = Policy(timeout=Timeout(initial_token=250), retry=Retry(base_delay=0))
"""Of the time that only silence of the server takes (`server_time`)."""
BEGUN = (F.cut(at_event=1),)
SOME = ("chat", "messages")
ALL_STREAMED = ("chat", "completions", "responses", "messages")
QUOTA = {"error": {"code": "insufficient_quota", "message": "pay first", "type": "insufficient_quota"}}
CALLED = Answer(tool_calls=(SimulatedToolCall(name="weather", arguments='{"city": "Oslo"}'),))


def rows(name: str, script: tuple[Any, ...], policy: Policy = STRICT, **rest: Any) -> list[Scenario]:
    """The same for every dialect, or for those in ``apis``."""
    apis = rest.pop("apis", ("chat", "responses", "messages"))
    return [Scenario(name=name, api=api, script=script, policy=policy, **rest) for api in apis]


HEALTHY = [
    *rows("healthy", (), Policy(), apis=ALL_STREAMED),
    *rows("healthy, whole", (), Policy(), use="whole", apis=ALL_STREAMED),
    *rows("healthy, raw response", (), Policy(), use="raw"),
    *rows("healthy, streaming response", (), Policy(), use="lines"),
    *rows("healthy, helper", (), Policy(), use="helper"),
    *rows("tool call", (CALLED,)),
    *rows("reasoning", (Answer(reasoning="hm, well", text="yes"),)),
    *rows("refusal", (Answer(refusal="no, sorry"),)),
    *rows("cut off by length", (Answer(text="too long", stop="length"),)),
    *rows("empty answer", (Answer(text=""),)),
    *rows("1,000 tokens", (Answer(tokens=1000),)),
    Scenario(name="two choices", api="chat", more={"n": 2}),
    Scenario(name="with usage", api="chat", more={"stream_options": {"include_usage": True}}),
]
WIRE = [
    *rows("carriage returns", (F.framing("cr"),)),
    *rows("carriage returns and line feeds", (F.framing("crlf"),)),
    *rows("byte order mark", (F.bom(),)),
    *rows("comments", (F.comments(1),)),
    *rows("ids and retries", (F.id_retry_lines(),)),
    *rows("characters cut in two", (F.split_utf8(),)),
    *rows("byte by byte", (F.bytewise(),), apis=("chat",)),
    *rows("one write", (F.one_write(),)),
    *rows("ended by the connection", (F.close_delimited(),)),
    *rows("null event", (F.null_data(at_event=2),), apis=("chat", "responses")),
    *rows("no event names", (F.no_event_names(),)),
    *rows("more after the end", (F.after_end(),)),
    *rows("many frames first", (F.lifecycle_frames(5),)),
]
BEFORE_HEADERS = [
    *rows("503, then fine", (F.status(503),), Policy(), outcome=RETRIED, requests=2),
    *rows("503 forever", (F.status(503),) * 3, Policy(), outcome=FAILED, requests=3),
    *rows("429 that says when", (F.status(429, {"retry-after-ms": "1"}),), AGAIN, outcome=RETRIED, requests=2),
    *rows("429 that says too late", (F.status(429, {"retry-after": "3600"}),), AGAIN, outcome=FAILED),
    *rows("no money left", (F.status(429, body=QUOTA),), AGAIN, outcome=FAILED, apis=("chat", "responses")),
    *rows("wrong key", (F.status(401),), AGAIN, outcome=FAILED),
    *rows("bad request", (F.status(400),), AGAIN, outcome=FAILED),
    *rows("503, no retries", (F.status(503),), max_retries=0, outcome=FAILED),
    *rows("503, no retries of the client's own", (F.status(503),), AGAIN, max_retries=0, outcome=RETRIED, requests=2),
    *rows("503, whole", (F.status(503),), AGAIN, use="whole", outcome=RETRIED, requests=2),
    *rows("503, raw response", (F.status(503),), AGAIN, use="raw", outcome=RETRIED, requests=2),
    *rows("refused, then fine", (F.refuse(),), Policy(), outcome=RETRIED, requests=2),
    *rows("reset before the headers", (F.refuse("rst"),), AGAIN, outcome=RETRIED, requests=2),
    *rows("refused, whole", (F.refuse(),) * 3, Policy(), use="whole", outcome=FAILED, requests=3),
    *rows(
        "no headers in time",
        (F.no_headers(),),
        IN_TIME,
        apis=SOME,
        outcome=RETRIED,
        requests=2,
    ),
]
BEFORE_CONTENT = [
    *rows("empty body", (F.empty(),), Policy(), outcome=RETRIED, requests=2),
    *rows("a page in place of a stream", (F.html(),), Policy(), outcome=RETRIED, requests=2),
    *rows("pages forever", (F.html(),) * 3, Policy(), outcome=FAILED, requests=3),
    *rows("a page in place of an answer", (F.html(),), AGAIN, use="whole", outcome=RETRIED, requests=2),
    *rows("ended at once", (F.clean_end(at_event=0),), Policy(), outcome=RETRIED, requests=2),
    *rows("ended before content", (F.clean_end(at_event=1),), Policy(), outcome=RETRIED, requests=2),
    *rows("cut before content", (F.cut(at_event=1),), Policy(), outcome=RETRIED, requests=2),
    *rows("reset before content", (F.reset(at_event=1),), AGAIN, outcome=RETRIED, requests=2),
    *rows("reset before content, no retries", (F.reset(at_event=1),), max_retries=0, outcome=FAILED),
    *rows("malformed before content", (F.malformed(at_event=0),), AGAIN, outcome=RETRIED, requests=2),
    *rows("error before content", (F.in_band_error(at_event=1),), AGAIN, outcome=RETRIED, requests=2),
    *rows("two breaks", (F.reset(at_event=1), F.cut(at_event=0)), AGAIN, outcome=RETRIED, requests=3),
    *rows("only the terminal event", (F.done_only(),), AGAIN, outcome=RETRIED, requests=2, apis=("chat", "messages")),
    *rows("break, raw response", (F.cut(at_event=1),), AGAIN, use="raw", outcome=RETRIED, requests=2),
    *rows("break, helper", (F.cut(at_event=1),), AGAIN, use="helper", outcome=RETRIED, requests=2),
    *rows(
        "silence before content",
        (F.stall(at_event=1),),
        IN_TIME,
        outcome=RETRIED,
        requests=2,
    ),
    *rows(
        "pings and no content",
        (F.pings(at_event=1, interval=0.02),),
        IN_TIME,
        apis=SOME,
        outcome=RETRIED,
        requests=2,
    ),
    *rows(
        "frames beyond the hold",
        (F.lifecycle_frames(6) | F.cut(at_event=5),),
        Policy(retry=Retry(base_delay=0), hold=Hold(frames=3)),
        outcome=FAILED,  # the repeated answer has fewer events before its text
        apis=("chat", "responses"),
        requests=2,
    ),
    *rows("stored", BEGUN, AGAIN, apis=("chat", "responses"), more={"store": True}, outcome=RETRIED, requests=2),
    *rows("in a conversation", BEGUN, AGAIN, apis=("responses",), more={"conversation": "conv_1"}, outcome=FAILED),
    *rows("of a server tool, in chat", BEGUN, AGAIN, apis=("chat",), more={"web_search_options": {}}, outcome=FAILED),
]
LATE = 8
"""An event in the middle of the content, in every dialect."""
AFTER_CONTENT = [
    *rows("truncated", (F.clean_end(at_event=LATE),), AGAIN, outcome=FAILED),
    *rows("truncated, warned of", (F.clean_end(at_event=LATE),), Policy(truncation="warn")),
    *rows("truncated, not looked at", (F.clean_end(at_event=LATE),), Policy(truncation="off")),
    *rows("truncated, unknown origin", (F.clean_end(at_event=LATE),), Policy()),
    *rows("truncated, helper", (F.clean_end(at_event=LATE),), AGAIN, use="helper", outcome=FAILED),
    *rows("cut", (F.cut(at_event=LATE),), AGAIN, outcome=FAILED),
    *rows("reset", (F.reset(at_event=LATE),), AGAIN, outcome=FAILED),
    *rows("bad chunk header", (F.bad_chunk_header(at_event=LATE),), AGAIN, outcome=FAILED),
    *rows("shorter than promised", (F.content_length_short(at_event=LATE),), AGAIN, outcome=FAILED),
    *rows("corrupt compression", (F.corrupt_gzip(at_event=LATE),), AGAIN, outcome=FAILED),
    *rows("malformed", (F.malformed(at_event=LATE),), AGAIN, outcome=FAILED),
    *rows("not UTF-8", (F.invalid_utf8(at_event=LATE),), AGAIN, outcome=FAILED),
    *rows("error", (F.in_band_error(at_event=LATE),), AGAIN, outcome=FAILED),
    *rows("failed", (F.failed(at_event=LATE),), AGAIN, outcome=FAILED, apis=("responses",)),
    *rows("no terminal event", (F.no_terminal(),), outcome=FAILED),
    *rows("no finish reason", (F.no_finish_reason(),), apis=("chat", "messages")),
    *rows("doubled event", (F.duplicate(at_event=LATE),), apis=("responses",)),
    *rows("reordered events", (F.reorder(at_event=LATE),), outcome=FAILED, apis=("responses",)),
    *rows("dropped event", (F.drop(at_event=LATE),), outcome=FAILED, apis=("responses",)),
    *rows("block start dropped", (F.drop(at_event=1),), AGAIN, apis=("messages",)),
    *rows("silence", (F.stall(at_event=LATE),), Policy(timeout=Timeout(inter_token=200)), outcome=FAILED),
    *rows(
        "pings forever",
        (F.pings(at_event=LATE, interval=0.02),),
        Policy(timeout=Timeout(inter_token=200)),
        outcome=FAILED,
        apis=SOME,
    ),
    *rows("too long in all", (F.stall(at_event=LATE),), Policy(timeout=Timeout(total=250)), outcome=FAILED, apis=SOME),
]
LEAVING = [
    *rows("closed after the first", (), use="first", outcome=LEFT),
    *rows("left a block", (), use="break", outcome=LEFT),
    *rows("never read", (), use="unread", outcome=LEFT),
    *rows("left while there is silence ahead", (F.stall(at_event=LATE),), use="first", outcome=LEFT),
]


EXACT = Policy(truncation="strict", retry=Retry(base_delay=0), resume="exact")
SPLICED = Policy(truncation="strict", retry=Retry(base_delay=0), resume="splice")
PREFILLED = Policy(truncation="strict", retry=Retry(base_delay=0), resume="prefill")
OVER = Policy(
    truncation="strict", retry=Retry(max_retries=0), fallback=[Fallback(model="second"), Fallback(model="3rd")]
)
HELD = Policy(truncation="strict", retry=Retry(base_delay=0), hold="message")
VERIFIED = Policy(truncation="strict", retry=Retry(base_delay=0), hold=Hold(until="verified", window=20))
LONG = Answer(text="The harbour wakes before the town does. Boats leave in single file, lamps still lit.")
OTHER = Answer(text="Something else altogether.")
UP, FELL = "recovered_resume", "recovered_fallback"
TAKEN_UP = [
    *rows("taken up", (F.cut(at_event=LATE),), EXACT, outcome=UP, requests=2, apis=ALL_STREAMED),
    *rows("taken up twice", (F.cut(at_event=LATE), F.cut(at_event=6)), EXACT, outcome=UP, requests=3),
    *rows("taken up, helper", (F.clean_end(at_event=LATE),), EXACT, use="helper", outcome=UP, requests=2),
    *rows("taken up after a 503", (F.cut(at_event=LATE), F.status(503)), EXACT, outcome=UP, requests=3),
    *rows("another answer", (F.cut(at_event=LATE), OTHER), EXACT, outcome=FAILED, requests=2),
    *rows("never the same end", (F.cut(at_event=LATE),) * 9, EXACT, outcome=FAILED, requests=7),
    *rows("closed while taken up", (F.cut(at_event=LATE),), EXACT, use="first", outcome=LEFT),
    *rows(
        "spliced",
        (Reply(answer=LONG, fault=F.cut(at_event=16)), Reply(answer=LONG)),
        SPLICED,
        outcome=UP,
        requests=2,
        apis=SOME,
    ),
    *rows(
        "spliced with an overlap",
        (Reply(answer=LONG, fault=F.cut(at_event=16)), Reply(answer=LONG, fault=F.repeats_overlap(25))),
        SPLICED,
        outcome=UP,
        requests=2,
        apis=SOME,
    ),
    *rows("prefilled", (F.cut(at_event=LATE),), PREFILLED, outcome=UP, requests=2, apis=("messages",)),
    *rows("cannot be prefilled", (F.cut(at_event=LATE),), PREFILLED, outcome=FAILED, apis=("chat", "responses")),
    Scenario(
        name="replayed by the server",
        api="responses",
        script=(F.cut(at_event=LATE),),
        more={"store": True, "background": True},
        policy=EXACT,
        outcome=UP,
        requests=2,
    ),
]
FALLEN_OVER = [
    *rows("another model", (F.status(503),), OVER, outcome=FELL, requests=2, apis=ALL_STREAMED),
    *rows("the third model", (F.status(503), F.cut(at_event=0)), OVER, outcome=FELL, requests=3),
    *rows("no model", (F.status(503),) * 3, OVER, outcome=FAILED, requests=3),
    *rows("another model, whole", (F.status(503),), OVER, use="whole", outcome=FELL, requests=2),
    *rows("another model, helper", (F.cut(at_event=1),), OVER, use="helper", outcome=FELL, requests=2),
    *rows("too late for another model", (F.cut(at_event=LATE),), OVER, outcome=FAILED),
    *rows("bad everywhere", (F.status(400),), OVER, outcome=FAILED),
]
HELD_BACK = [
    *rows("held to the end", (), HELD),
    *rows("held to the end, broken", (F.cut(at_event=LATE),), HELD, outcome=RETRIED, requests=2),
    *rows("held by a window", (), VERIFIED),
    *rows("held by a window, broken early", (F.cut(at_event=6),), VERIFIED, outcome=RETRIED, requests=2),
    *rows("held by a window, broken late", (F.cut(at_event=14),), VERIFIED, outcome=FAILED),
]

SCENARIOS = [
    *(*HEALTHY, *WIRE, *BEFORE_HEADERS, *BEFORE_CONTENT, *AFTER_CONTENT, *LEAVING),
    *(*TAKEN_UP, *FALLEN_OVER, *HELD_BACK),
]
