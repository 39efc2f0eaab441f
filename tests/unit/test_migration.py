"""The names of L0 for Python: each is here, an alias that works, or refused with advice."""

import re
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

import pytest

import l0
from l0 import Event, EventType, Guardrails, PolicyError, Retry, Window
from l0.migration import ALIASES, INSTEAD, SAME
from l0.model.policy import RETRY_DEFAULTS, BackoffStrategy
from l0.types import ResponseMetadata

pytestmark = pytest.mark.anyio

TEXT = "Harbours are busy. " * 400
NAMES = [*SAME, *ALIASES, *INSTEAD]


def words() -> Any:
    return iter(["salt ", "water"])


def test_each_name_is_listed_once() -> None:
    assert len(NAMES) == len(set(NAMES)) == 202


@pytest.mark.parametrize("name", SAME)
def test_a_name_that_is_the_same_is_public(name: str) -> None:
    assert name in l0.__all__ or name == "__version__"


@pytest.mark.parametrize("name", ALIASES)
def test_an_alias_resolves(name: str) -> None:
    assert getattr(l0, name) is not None
    assert name not in dir(l0)


@pytest.mark.parametrize("name", INSTEAD)
def test_another_name_is_refused_with_advice(name: str) -> None:
    with pytest.raises(AttributeError, match=f"{name}, a name of L0 for Python.*migration.md"):
        getattr(l0, name)
    with pytest.raises(ImportError):
        exec(f"from l0 import {name}")


@pytest.mark.parametrize(
    ("preset", "attempts", "max_retries", "strategy"),
    [
        ("minimal", 2, 4, BackoffStrategy.LINEAR),
        ("recommended", 3, 6, BackoffStrategy.FIXED_JITTER),
        ("strict", 3, 6, BackoffStrategy.FULL_JITTER),
        ("exponential", 4, 8, BackoffStrategy.EXPONENTIAL),
        ("mobile", 3, 6, BackoffStrategy.FULL_JITTER),
        ("edge", 3, 6, BackoffStrategy.FIXED_JITTER),
    ],
)
def test_presets_of_retries(preset: str, attempts: int, max_retries: int, strategy: BackoffStrategy) -> None:
    retry: Retry = getattr(Retry, preset)()
    assert (retry.attempts, retry.max_retries, retry.strategy) == (attempts, max_retries, strategy)


def test_retries_by_default_are_the_recommended_ones() -> None:
    assert Retry.recommended() == RETRY_DEFAULTS == l0.RECOMMENDED_RETRY
    assert Retry(strategy="full-jitter").strategy is BackoffStrategy.FULL_JITTER


@pytest.mark.parametrize(
    "short", ["json", "strict_json", "markdown", "latex", "pattern", "zero_output", "repetition", "stall"]
)
def test_short_names_of_rules(short: str) -> None:
    assert getattr(Guardrails, short)() == getattr(Guardrails, f"{short}_rule")()


def test_own_patterns() -> None:
    rule = Guardrails.custom_pattern(["wind"], "not the wind", severity="warning")
    assert [found.severity for found in Guardrails.check("the wind", rule)] == ["warning"]


@pytest.mark.parametrize("make", [Guardrails.custom_pattern, l0.custom_pattern_rule])
def test_own_patterns_are_regular_expressions(make: Any) -> None:
    for patterns in ([r"^sk-\d+"], r"^sk-\d+", [re.compile(r"sk-\d")]):
        assert Guardrails.check("The key:\nSK-12" if isinstance(patterns, str) else "sk-12", make(patterns))
    with pytest.raises(PolicyError, match=r"patterns"):
        make([5])
    with pytest.raises(re.error):
        make(["("])


@pytest.mark.parametrize("kind", list(EventType))
def test_flags_of_an_event(kind: EventType) -> None:
    event = Event(kind, "a", ResponseMetadata(input_tokens=2, output_tokens=3))
    flags = ("token", "message", "data", "progress", "tool_call", "error", "complete")
    assert [flag for flag in flags if getattr(event, f"is_{flag}")] == [kind.value] * (kind.value in flags)
    assert event.usage == ({"input_tokens": 2, "output_tokens": 3} if kind is EventType.COMPLETE else None)
    for name, of in (("payload", "data"), ("progress", "progress"), ("error", "error")):
        assert (getattr(event, name) is event.data) == (kind.value == of)


async def test_fields_of_a_state() -> None:
    tries = iter([ConnectionError("reset"), None])

    def source() -> Any:
        error = next(tries)
        if error is not None:
            raise error
        return words()

    stream = await l0.run(source, retry=Retry(base_delay=0.0, max_delay=0.0, network_max_delay=0.0))
    await stream.read()
    state: Any = stream.state
    assert (state.token_count, state.fallback_index, state.resumed, state.drift_detected) == (2, 0, False, False)
    assert (state.model_retry_count, state.network_retry_count) == (0, 1)
    assert state.network_errors == state.failures


async def test_a_wrapped_stream_is_read_and_iterated() -> None:
    assert await l0.wrap(words).read() == "salt water"
    wrapped = l0.wrap(words)
    assert wrapped.state.content == ""
    assert [event.text async for event in wrapped] == ["salt ", "water", ""]
    assert wrapped.state.completed


@dataclass
class Callbacks:
    """As its ``LifecycleCallbacks``."""

    on_start: Any = None
    on_token: Any = None


async def test_former_options_of_a_call() -> None:
    seen: list[Any] = []
    options: dict[str, Any] = {
        "callbacks": Callbacks(on_token=lambda text: seen.append(text)),  # noqa: PLW0108 - as written there
        "on_stream_event": lambda event: seen.append(event.type),
        "drift_detector": object(),
        "buffer_tool_calls": True,
        "adapter": "openai",
    }
    assert await (await l0.run(words, **options)).read() == "salt water"
    assert seen == ["token", "salt ", "token", "water", "complete"]


async def test_former_parameters_of_callbacks() -> None:
    seen: list[Any] = []
    tries = iter([ConnectionError("reset")] * 2)

    def source() -> Any:
        yield "salt "
        raise next(tries)

    options: dict[str, Any] = {
        "on_start": lambda attempt, is_retry, is_fallback: seen.append((attempt.number, is_retry, is_fallback)),
        "on_checkpoint": lambda checkpoint, token_count: seen.append((checkpoint.text, token_count)),
        "on_error": lambda e, will_retry, will_fallback: seen.append((type(e).__name__, will_retry, will_fallback)),
        "check_intervals": l0.CheckIntervals(checkpoint=1),
    }
    with pytest.raises(ConnectionError):
        [event async for event in await l0.run(source, **options)]
    assert seen[:2] == [(1, False, False), ("salt ", 1)]
    assert seen[2][1:] == (False, False)


async def test_a_continuation_is_built_from_the_text_so_far() -> None:
    built: list[str] = []
    answers = iter([["salt ", ConnectionError("reset")], ["salt water"]])

    def source() -> Any:
        for item in next(answers):
            if isinstance(item, Exception):
                raise item
            yield item

    options: dict[str, Any] = {"continue_from_last_good_token": True, "build_continuation_prompt": built.append}
    retry = Retry(base_delay=0.0, max_delay=0.0, network_max_delay=0.0)
    events = [event async for event in await l0.run(source, retry=retry, **options)]
    assert "".join(event.text for event in events) == "salt water"
    assert built == ["salt "]


class Shouting:
    """One of its adapters."""

    name = "shouting"

    def __init__(self) -> None:
        self.closed = 0

    def detect(self, source: object) -> bool:
        return hasattr(source, "__aiter__")

    async def wrap(self, source: Any) -> Any:
        try:
            async for item in source:
                yield l0.AdaptedEvent(event=Event(EventType.TOKEN, item.upper()), raw_chunk=item)
        finally:
            self.closed += 1


async def awords() -> Any:
    for word in words():
        yield word


async def test_a_former_adapter_reads_the_sources_that_it_detects() -> None:
    adapter, adapters = Shouting(), l0.Adapters
    adapters.register(adapter, silent=True)
    try:
        assert adapters.registered() == ["shouting"]
        assert await (await l0.run(awords)).read() == "SALT WATER"
        stream = await l0.run(awords)
        assert (await stream.__anext__()).text == "SALT "
        await stream.aclose()
        assert adapter.closed == 2
        assert await (await l0.run(words)).read() == "salt water"  # not detected
        assert (adapters.unregister("shouting"), adapters.unregister("shouting")) == (True, False)
        assert await (await l0.run(awords)).read() == "salt water"
    finally:
        adapters.clear()


async def test_an_unknown_option_is_still_refused() -> None:
    with pytest.raises(PolicyError, match="buffer_tools"):
        await l0.run(words, buffer_tools=True)  # type: ignore[call-arg]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # orchestration needs it
async def test_tasks_by_name_and_a_handler() -> None:
    done: Any = await l0.parallel(tasks=[lambda: l0.run(words), lambda: l0.run(words)], concurrency=1)
    assert (done.results, done.success_count, done.failure_count) == (["salt water"] * 2, 2, 0)
    assert done.all_succeeded
    assert done.successful_results() == done.succeeded
    race: Any = await l0.race(tasks=[lambda: l0.run(words)])
    assert race.winner_index == 0
    assert (await l0.sequential(tasks=[lambda: l0.run(words)])).values == ["salt water"]

    async def double(item: int) -> int:
        return item * 2

    assert (await l0.batched([1, 2, 3], double, size=2)).values == [2, 4, 6]


def test_navigation_of_a_window() -> None:
    window: Any = Window.create(TEXT, size=500, overlap=50, tokenizer="estimate")
    count = window.total_chunks
    assert (count > 3, window.current().index, window.has_prev(), window.has_next()) == (True, 0, False, True)
    assert (window.next().index, window.prev().index, window.jump(2).index, window.current_index) == (1, 0, 2, 2)
    assert (window.reset().index, window.get(-1), window.get(count), window.prev()) == (0, None, None, None)
    assert [one.index for one in window.get_range(1, 3)] == [1, 2]
    assert len(window.find_chunks("harbours")) == count
    assert window.find_chunks("harbours", case_sensitive=True) == []
    assert window.get_context(1, before=1, after=1) in TEXT
    assert window.merge_chunks(window.get_all_chunks()) == TEXT
    assert window.config.size == 500
    assert Window.estimate_tokens("a" * 100) == 25
    assert len(Window.chunk(TEXT, size=500)) == Window.create(TEXT, size=500).total_chunks
    assert Window.paragraph(TEXT).strategy == "paragraph"
    assert Window.sentence(TEXT, size=100).size == 100
    first, second = window.get_range(0, 2)
    assert window.get_chunks_in_range(second.start_pos, second.start_pos + 1) == [first, second]
    assert (first.is_first, first.is_last, first.char_count) == (True, False, first.end_pos)


async def test_fields_of_a_value() -> None:
    answer: Any = await l0.structured(int, lambda: iter(["42"]), auto_correct=True)  # type: ignore[call-arg]
    assert (answer.data, answer.raw, answer.corrected, answer.corrections) == (42, "42", False, [])


def test_adapters_are_found_and_made_to_leave() -> None:
    adapter, adapters = Shouting(), l0.Adapters
    adapters.register(adapter)
    try:
        source = awords()
        assert adapters.get("shouting") is adapters.detect(source) is adapters.detect_adapter(source) is adapter
        assert adapters.detect(source, "shouting") is adapters.detect(1, adapter) is adapter
        assert (adapters.has_matching(source), adapters.has_matching(1), adapters.get("mute")) == (True, False, None)
        for given in ((1,), (source, "mute")):
            with pytest.raises(ValueError, match=r"adapter"):
                adapters.detect(*given)
        assert (adapters.unregister_all_except(["shouting"]), adapters.unregister_all_except()) == ([], ["shouting"])
    finally:
        adapters.clear()


def test_events_of_adapters() -> None:
    make, error = l0.Adapters, ValueError("sour")
    assert make.token_event("salt") == Event(EventType.TOKEN, "salt")
    assert make.complete_event() == Event(EventType.COMPLETE)
    assert make.error_event(error).error is error
    assert str(make.error_event("sour").error) == "sour"
    assert make.data_event(3).payload == 3
    assert make.progress_event({"percent": 5}).progress == {"percent": 5}


async def test_events_are_read_to_a_text() -> None:
    assert await l0.consume_stream(await l0.run(awords)) == await l0.get_text(await l0.run(words)) == "salt water"


def test_json_of_texts() -> None:
    assert [l0.JSON.is_valid(text) for text in ("[1]", "[1,]", "")] == [True, False, False]
    made = l0.JSON.auto_correct("[1,]", track_corrections=True)
    assert (made.text, made.corrected, made.corrections) == ("[1]", True, ["extra_comma"])
    assert l0.JSON.auto_correct("no JSON").text == "no JSON"
    assert l0.JSON.extract('Sure: {"a": 1}, or {"b": 2}.') == '{"a": 1}'
    assert l0.JSON.extract_from_markdown("```json\n[1]\n```") == "[1]"
    assert l0.JSON.extract("no JSON") == "no JSON"
    assert l0.JSON.parse("[1,]") == {"data": [1], "corrected": True, "corrections": ["extra_comma"]}
    with pytest.raises(JSONDecodeError):
        l0.JSON.parse("[1,]", auto_correct=False)


def test_overlap_of_a_continuation() -> None:
    found = l0.Continuation.detect_overlap("salt water", "water flows")
    assert (found.has_overlap, found.overlap_text, found.overlap_length) == (True, "water", 5)
    assert l0.Continuation.deduplicate("salt water", "water flows") == found.deduplicated == " flows"
    assert not l0.Continuation.detect_overlap("salt", "water").has_overlap


def test_a_detector_of_drift() -> None:
    looping, config = "The same line again. " * 9, l0.DriftConfig(detect_repetition=False, repetition_threshold=4)
    found = l0.DriftDetector().check(looping, "again. ")
    assert (found.detected, found.types) == (True, ["repetition"])
    assert 0.5 <= found.confidence <= 1
    assert found.details
    assert config == l0.Drift(repetition=False, repeats=4)
    detector = l0.DriftDetector(config)
    detector.reset()
    assert detector.check(looping) == l0.DriftResult(False, 0.0, [], None)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_former_options_of_several_calls() -> None:
    seen: list[Any] = []

    async def double(item: int) -> int:
        return item * 2 if item else 1 // item

    options: dict[str, Any] = {
        "batch_size": 2,
        "on_complete": lambda value, index: seen.append((value, index)),
        "on_error": lambda error, index: seen.append((type(error), index)),
    }
    done: Any = await l0.batched([1, 0], double, **options)
    assert sorted(seen, key=str) == [(2, 0), (ZeroDivisionError, 1)]
    assert done.duration == done.stats.total_duration_ms
    for alone in ("on_complete", "on_error"):
        await l0.parallel([lambda: double(1), lambda: double(0)], **{alone: options[alone]})
    assert len(seen) == 4


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_consensus_by_former_names() -> None:
    async def answer() -> str:
        return "salt"

    options: dict[str, Any] = {"threshold": 1.0, "resolve_conflicts": "fail"}
    result: Any = await l0.Consensus.run([answer, answer], **options)
    assert (result.consensus, result.confidence, l0.Consensus.validate(result)) == ("salt", 1.0, True)
    assert l0.Consensus.get_value(["a", "b", "b"]) == "b"
    assert l0.Consensus.get_value([]) is None
    assert (l0.Consensus.quick([{"a": 1}] * 2), l0.Consensus.quick([1, "1"]), l0.Consensus.quick([])) == (
        True,
        False,
        False,
    )
