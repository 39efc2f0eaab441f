"""The names of L0 for Python (the distribution ``ai2070-l0``), for programs that come from it.

This file has all public names of L0 for Python: aliases for those that mean something that this library has too, and
advice for the others. Aliases are thin, and the documentation does not use them. The table of `docs/migration.md` is
generated from this file.

In this file, "its" and "there" mean L0 for Python, and "here" means this library.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeVar, cast

if TYPE_CHECKING:
    from typing import Self

_F = TypeVar("_F", bound=Callable[..., Any])

_RULES = "l0.rules.guardrails.catalogue:Guardrails."
ALIASES: Final[Mapping[str, str]] = {
    "AdaptedEvent": "l0.migration:AdaptedEvent",
    "Adapter": "l0.streams.adapters:Adapter",
    "Adapters": "l0.migration:Adapters",
    "BackoffStrategy": "l0.types:BackoffStrategy",
    "ChunkResult": "l0.types:Branch",
    "ChunkingStrategy": "l0.orchestration.windows.splitting:Strategy",
    "ConsensusPreset": "l0.types:ConsensusPreset",
    "ConsensusResult": "l0.types:ConsensusResult",
    "Continuation": "l0.migration:Continuation",
    "DataPayload": "l0.types:Payload",
    "DocumentChunk": "l0.types:Chunk",
    "DocumentWindow": "l0:Window",
    "DriftConfig": "l0.migration:drift_config",
    "DriftDetector": "l0.migration:DriftDetector",
    "DriftResult": "l0.migration:DriftResult",
    "ERROR_TYPE_DELAY_DEFAULTS": "l0.model.policy:ERROR_TYPE_DELAY_DEFAULTS",
    "EXPONENTIAL_RETRY": "l0:Retry.exponential()",
    "ErrorCategory": "l0.types:Category",
    "ErrorTypeDelayDefaults": "l0:ErrorTypeDelays",
    "GuardrailViolation": "l0.types:Violation",
    "JSON": "l0.migration:JSON",
    "JSON_ONLY_GUARDRAILS": _RULES + "json_only",
    "LATEX_ONLY_GUARDRAILS": _RULES + "latex_only",
    "LazyStream": "l0.types:Wrapped",
    "MARKDOWN_ONLY_GUARDRAILS": _RULES + "markdown_only",
    "MINIMAL_GUARDRAILS": _RULES + "minimal",
    "MINIMAL_RETRY": "l0:Retry.minimal()",
    "OverlapResult": "l0.migration:OverlapResult",
    "ParallelResult": "l0.types:Results",
    "PipelineResult": "l0.types:PipelineResult",
    "ProcessingStats": "l0.types:Stats",
    "RECOMMENDED_GUARDRAILS": _RULES + "recommended",
    "RECOMMENDED_RETRY": "l0:Retry.recommended()",
    "RETRY_DEFAULTS": "l0.model.policy:RETRY_DEFAULTS",
    "RaceResult": "l0.types:Race",
    "RetryDefaults": "l0:Retry",
    "RetryableErrorType": "l0.types:RetryableErrorType",
    "STRICT_GUARDRAILS": _RULES + "strict",
    "STRICT_RETRY": "l0:Retry.strict()",
    "State": "l0.types:State",
    "Stream": "l0.types:Stream",
    "StructuredResult": "l0.types:Structured",
    "StructuredStreamResult": "l0.types:StructuredStream",
    "Violation": "l0.types:Violation",
    "consume_stream": "l0.migration:consume_stream",
    "custom_pattern_rule": _RULES + "custom_pattern",
    "get_text": "l0.migration:consume_stream",
    "pattern_rule": _RULES + "pattern_rule",
}
"""Its public names with what they stand for here: a module and an attribute, which is called if it ends in ``()``. Only
names with which a program keeps working: an alias for something that is only similar would hide the difference."""


def _each(names: str, text: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), text)


SAME: Final[Mapping[str, str]] = {
    **_each("Retry CheckIntervals ErrorTypeDelays Event EventType Guardrails Window l0 run __version__", ""),
    **_each("Pipeline Consensus", "see orchestration.md"),
    "wrap": "a wrapped client yields the SDK's own chunks: `l0.wrap(response)` for events",
    "Timeout": "without a `timeout` there are no deadlines of L0's own",
    **_each("structured structured_array structured_object", "`value` (also `data`), `text`, `edits`"),
    "structured_stream": "yields the values that grow; `await stream.result()`",
    "parallel": "`on_result=` is called with each `Branch`",
    "race": "`on_result=` is not an option; losers are cancelled",
    "sequential": "returns `Results`",
    "batched": "`size=` (also `batch_size=`); returns `Results`",
    "Drift": "the drift rule itself",
}
"""Its public names that are public here too, with the difference, if there is one."""

_OWN_ERRORS = (
    "the SDK's own exceptions, and `StreamInterrupted` with `reason` for a failure after the headers: see errors.md"
)
_CAUSE = "`l0.types.Cause` and `Failure`; network errors are classified by class and status, not by their text"
_OBSERVERS = "`observers=` with `l0.types.CallEvent`: see observers.md"
_OTEL = "`l0.instrument(otlp=True)`, or the providers of your program: see telemetry.md"
_SENTRY = "`examples/sentry_observer.py`, or OTLP to Sentry: see observers.md"
_RECORDING = "`l0.instrument(record=...)` and `l0 replay`: see recording.md"
_SUMMARY = "`l0.summary()`, and OpenTelemetry metrics: see telemetry.md"
_CONSENSUS = "`ConsensusResult`: `value`, `agreement`, `branches` and the fields: see orchestration.md"
_JSON = "`l0.repair_json(text)`: `Repaired` with `text` and `edits`, or `Unrepairable` with a `reason`"
_SCHEMA = "pass the JSON Schema itself to `l0.structured`, which checks it with jsonschema"
_STRUCTURED = "`Retry(attempts=...)` for the attempts; L0 repairs JSON if that is safe: `Structured.edits`"
_SPLICE = '`resume="splice"` and a source that takes the text so far; L0 removes overlap: see guide.md'
_PIPELINE = "`Pipeline([Step(...), ...])`: see orchestration.md"
_POOL = "`async with Pool(size) as pool: await pool.run(task)`"
_ANALYSIS = "`Guardrails.check(text, rule)`: the `Violation`s, with their place in the text"
_FORMATTING = "Python's own formatting, or a template library"
_TEXT = "`str` methods and `textwrap`"
_COMPARE = "`==`, `difflib`, deepdiff; for answers of several models: `Consensus`"
_MACHINE = "`state.completed`, `.aborted`, `.error`; an observer gets every step as an event"
_ANY_SOURCE = "any function that returns a source; annotate it with `Callable[[], Any]`"


INSTEAD: Final[Mapping[str, str]] = {
    **_each("Error ErrorCode ErrorContext", _OWN_ERRORS),
    **_each("FailureType NetworkError NetworkErrorAnalysis NetworkErrorType", _CAUSE),
    **_each("RecoveryPolicy RecoveryStrategy", "`AttemptEnded.action`, which observers get"),
    "TimeoutError": "the SDK's own timeout error; of other sources the built-in `TimeoutError`",
    **_each("AwaitableStream AwaitableStreamFactory AwaitableStreamSource", _ANY_SOURCE),
    **_each("RawStream StreamFactory StreamSource", _ANY_SOURCE),
    "WrappedClient": "`l0.wrap(client)` returns a client of the same class as the given one",
    "LifecycleCallbacks": "pass the callbacks to the call: `l0.run(..., **callbacks)`",
    **_each("EventBus ObservabilityEvent ObservabilityEventType", _OBSERVERS),
    **_each("LiteLLMAdapter OpenAIAdapter OpenAIAdapterOptions", "no adapter: L0 recognizes these sources"),
    "GuardrailRule": "`Guardrails.rule(function)` for a function of the text",
    **_each("JsonAnalysis LatexAnalysis MarkdownAnalysis", _ANALYSIS),
    **_each("MINIMAL_STRUCTURED RECOMMENDED_STRUCTURED STRICT_STRUCTURED StructuredConfig", _STRUCTURED),
    **_each("AutoCorrectInfo StructuredState StructuredTelemetry", "`Structured.edits` and `Structured.state`"),
    **_each("AutoCorrectResult CorrectionType", _JSON),
    "Parallel": "the functions `parallel`, `race`, `sequential`, `batched`",
    "ParallelOptions": "options of `parallel` itself: `concurrency=`, `fail_fast=`, `on_result=`",
    "AggregatedTelemetry": "`Results.stats`: `usage` has calls, requests and tokens",
    **_each("OperationPool PoolOptions PoolStats create_pool", _POOL),
    **_each("PipelineStep StepContext StepResult create_pipeline create_step pipe", _PIPELINE),
    "PipelineOptions": "`l0.types.PipelinePreset(...)`, as `preset=` of a `Pipeline`",
    "FAST_PIPELINE": '`l0.types.PipelinePreset()`, or `preset="fast"`',
    "PRODUCTION_PIPELINE": '`preset="production"`',
    "RELIABLE_PIPELINE": '`preset="reliable"`',
    "chain_pipelines": "a `Pipeline` is a step: `Step(name=..., run=pipeline)`",
    "parallel_pipelines": "`l0.fork(...)`",
    "create_branch_step": "`l0.choose(...)`",
    "consensus": "`await Consensus.run(tasks)`",
    **_each("Agreement ConsensusAnalysis ConsensusOutput Disagreement DisagreementValue", _CONSENSUS),
    **_each("FieldAgreement FieldConsensus FieldConsensusInfo", _CONSENSUS),
    "WindowConfig": "keyword arguments of `Window.create`: `size`, `overlap`, `strategy`, `tokenizer`",
    "WindowStats": "`len(list(window))`, `window.count(text)`",
    "ChunkProcessConfig": "a dictionary of the arguments of `l0.run`, or the stream itself",
    "ContextRestorationOptions": "`Restore(attempts=..., share=...)`",
    "ContextRestorationStrategy": "`Restore` widens the window on both sides",
    "enable_debug": '`logging.getLogger("l0").setLevel("DEBUG")`, `l0 run --console`',
    "Monitoring": _OBSERVERS,
    **_each("OpenTelemetry OpenTelemetryConfig OpenTelemetryExporter OpenTelemetryExporterConfig", _OTEL),
    "SemanticAttributes": "the GenAI conventions of OpenTelemetry: see telemetry.md",
    **_each("Sentry SentryConfig SentryExporter SentryExporterConfig", _SENTRY),
    "Format": _FORMATTING,
    **_each("JSONSchema JSONSchemaAdapter JSONSchemaDefinition JSONSchemaValidationError", _SCHEMA),
    **_each("JSONSchemaValidationFailure JSONSchemaValidationSuccess", _SCHEMA),
    **_each("SimpleJSONSchemaAdapter UnifiedSchema", _SCHEMA),
    "Multimodal": "`Payload` in `event.data` for the payloads of SDKs; `Event(EventType.DATA, data=...)` for your own",
    "ContentType": "`Payload.kind`: `image`, `audio` or `file`",
    "Progress": "`Event(EventType.PROGRESS, data=...)`, with your data",
    **_each("ContinuationConfig DeduplicationOptions", _SPLICE),
    **_each("RuntimeState RuntimeStates StateMachine StateTransition create_state_machine", _MACHINE),
    **_each("EventEnvelope EventRecorder EventReplayer EventSourcing EventStore", _RECORDING),
    **_each("EventStoreWithSnapshots InMemoryEventStore RecordedEvent RecordedEventType", _RECORDING),
    **_each("ReplayCallbacks ReplayComparison ReplayResult ReplayedState SerializedError", _RECORDING),
    **_each("Snapshot StreamMetadata", _RECORDING),
    **_each("Metrics MetricsSnapshot create_metrics get_global_metrics reset_global_metrics", _SUMMARY),
    **_each("NormalizeOptions Text WhitespaceOptions", _TEXT),
    **_each("Compare Difference DifferenceSeverity DifferenceType", _COMPARE),
    **_each("ObjectComparisonOptions StringComparisonOptions", _COMPARE),
}
"""Its other public names, with what to use here instead."""


def resolve(name: str, module_name: str = "l0") -> Any:
    """Return what a name of L0 for Python stands for here. Raises `AttributeError`, with advice if there is any."""
    if name in INSTEAD:
        raise AttributeError(f"l0 has no {name}, a name of L0 for Python. Here: {INSTEAD[name]} (docs/migration.md)")
    if name not in ALIASES:
        raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
    module, _, path = ALIASES[name].partition(":")
    value: Any = import_module(module)
    for part in path.removesuffix("()").split("."):
        value = getattr(value, part)
    return value() if path.endswith("()") else value


# -- adapters ----------------------------------------------------------------------------------------------------------


class AdaptedEvent(NamedTuple):
    """An item that its adapters yield: an event, and the chunk from which it was made."""

    event: Any
    raw_chunk: Any = None


class Adapters:
    """The registry of its adapters, objects with ``name``, ``detect(source)`` and ``wrap(source)``, for async code.

    They are tried before the adapters of this library, which look at the first item of a source.
    """

    _registered: ClassVar[tuple[Any, ...]] = ()

    @classmethod
    def register(cls, adapter: Any, *, silent: bool = False) -> None:  # noqa: ARG003 - as there
        cls._registered = (adapter, *(known for known in cls._registered if known.name != adapter.name))

    @classmethod
    def unregister(cls, name: str) -> bool:
        before, cls._registered = cls._registered, tuple(known for known in cls._registered if known.name != name)
        return len(cls._registered) < len(before)

    @classmethod
    def registered(cls) -> list[str]:
        return [adapter.name for adapter in cls._registered]

    @classmethod
    def clear(cls) -> None:
        cls._registered = ()

    reset = clear

    @classmethod
    def get(cls, name: str) -> Any:
        return next((adapter for adapter in cls._registered if adapter.name == name), None)

    @classmethod
    def detect_adapter(cls, source: Any) -> Any:
        return next((adapter for adapter in cls._registered if adapter.detect(source)), None)

    @classmethod
    def has_matching(cls, source: Any) -> bool:
        return sum(bool(adapter.detect(source)) for adapter in cls._registered) == 1

    @classmethod
    def unregister_all_except(cls, names: Sequence[str] = ()) -> list[str]:
        removed = [adapter.name for adapter in cls._registered if adapter.name not in (names or ())]
        cls._registered = tuple(adapter for adapter in cls._registered if adapter.name not in removed)
        return removed

    @classmethod
    def detect(cls, source: Any, hint: Any = None) -> Any:
        if hint is not None and not isinstance(hint, str):
            return hint
        found = cls.detect_adapter(source) if hint is None else cls.get(hint)
        if found is None:
            raise ValueError("No adapter found for the source" if hint is None else f"Unknown adapter: {hint}")
        return found

    @staticmethod
    def token_event(text: str) -> Any:
        return _event("TOKEN", text)

    @staticmethod
    def complete_event() -> Any:
        return _event("COMPLETE")

    @staticmethod
    def error_event(error: Exception | str) -> Any:
        return _event("ERROR", data=Exception(error) if isinstance(error, str) else error)

    @staticmethod
    def data_event(payload: Any) -> Any:
        return _event("DATA", data=payload)

    @staticmethod
    def progress_event(progress: Any) -> Any:
        return _event("PROGRESS", data=progress)


def _event(kind: str, text: str = "", data: Any = None) -> Any:
    events = import_module("l0.streams.stream_events")
    return events.Event(events.EventType[kind], text, data)


def adapted(source: Any) -> Any:
    """Return the events of a source that one of its adapters recognizes, or the source itself."""
    for adapter in Adapters._registered:
        if adapter.detect(source):
            return _events_of(adapter.wrap(source), source)
    return source


async def _events_of(items: Any, source: Any) -> AsyncIterator[Any]:
    try:
        async for item in items:
            yield item.event
    finally:
        for closable in (items, source):
            close = getattr(closable, "aclose", None) or getattr(closable, "close", None)
            closing: Any = close() if close is not None else None
            if hasattr(closing, "__await__"):
                await closing


# -- options of a call ----------------------------------------------------------------------------------------------


def translated(stream: Any, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return the source and the options of a call of L0 for Python as this library takes them.

    ``stream``: the source; ``None`` for the options of a client.
    """
    result = dict(options)
    callbacks = result.pop("callbacks", None)
    if callbacks is not None:
        result = {name: callback for name, callback in vars(callbacks).items() if callback is not None} | result
    if "on_stream_event" in result:
        result["on_event"] = result.pop("on_stream_event")
    if result.pop("drift_detector", None) is not None:
        result.setdefault("drift", True)
    result.pop("buffer_tool_calls", None)  # a tool call always arrives when it is complete
    if result.get("adapter") in ("openai", "litellm"):
        del result["adapter"]  # these sources are recognized
    if result.get("auto_correct") is True:
        del result["auto_correct"]  # JSON is always repaired, if that is safe
    build = result.pop("build_continuation_prompt", None)
    if result.pop("continue_from_last_good_token", False) and (stream is None or callable(stream)):
        if build is not None and stream is not None:
            stream = _continued(stream, build)
        result.setdefault("resume", "splice" if build is not None else "exact")
    return stream, result


def also_named(**names: str) -> Callable[[_F], _F]:
    """Let an async function also take options by their names there. ``names``: the names here by those names."""

    def decorate(function: _F) -> _F:
        @wraps(function)
        async def call(*arguments: Any, **options: Any) -> Any:
            return await function(*arguments, **{names.get(name, name): value for name, value in options.items()})

        return cast("_F", call)

    return decorate


def result_callback(options: Any) -> None:
    """Replace its callbacks ``on_complete`` and ``on_error`` for several tasks by ``on_result``, in place."""
    on_complete, on_error = options.pop("on_complete", None), options.pop("on_error", None)
    if on_complete is None and on_error is None:
        return

    def on_result(branch: Any) -> Any:
        if branch.error is not None:
            return on_error(branch.error, branch.index) if on_error is not None else None
        return on_complete(branch.value, branch.index) if on_complete is not None else None

    options["on_result"] = on_result


def _continued(stream: Callable[[], Any], build: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a source that calls ``build`` with the text so far before ``stream`` is called again."""

    def source(text: str) -> Any:
        if text:
            build(text)
        return stream()

    return source


async def consume_stream(stream: Any) -> str:
    """Its function: return the text of a stream of events."""
    return "".join([event.text async for event in stream if event.type == "token" and event.text])


# -- functions on texts -----------------------------------------------------------------------------------------------


class JSON:
    """Its functions on texts that should be JSON."""

    @staticmethod
    def is_valid(text: str) -> bool:
        valid: bool = import_module("l0.rules.structured.repair").is_json(text)
        return valid

    @staticmethod
    def auto_correct(text: str, track_corrections: bool = False) -> Any:  # noqa: ARG004 - edits are always known
        """Return a `Repaired`, with the text unchanged if it cannot be repaired in exactly one way."""
        repair = import_module("l0.rules.structured.repair")
        result = repair.repair_json(text)
        return result if isinstance(result, repair.Repaired) else repair.Repaired(text=text)

    @staticmethod
    def extract(text: str) -> str:
        """Return the first JSON object or array in a text; the text if there is none."""
        places: list[Any] = []
        locator = import_module("l0.rules.structured.json_locator").JsonLocator(places.append)
        locator.feed(text)
        locator.finish()
        return next((text[place.start : place.end].strip() for place in places if place.end is not None), text)

    extract_from_markdown = extract

    @classmethod
    def parse(cls, text: str, auto_correct: bool = True) -> dict[str, Any]:
        repaired = cls.auto_correct(text) if auto_correct else None
        loads: Callable[[str], Any] = import_module("json").loads
        edits = repaired.corrections if repaired is not None else []
        return {
            "data": loads(text if repaired is None else repaired.text),
            "corrected": bool(edits),
            "corrections": edits,
        }


class OverlapResult(NamedTuple):
    """The result of its `detect_overlap`."""

    has_overlap: bool
    overlap_length: int
    overlap_text: str
    deduplicated: str


class Continuation:
    """Its functions on a text and a continuation of it. An overlap must be exact: case and white space count."""

    @staticmethod
    def detect_overlap(checkpoint: str, continuation: str) -> OverlapResult:
        shortest = 2  # as there; when L0 resumes a stream, it removes only longer overlaps
        length: int = import_module("l0.dialects.overlap").overlap(checkpoint, continuation, shortest)
        return OverlapResult(length > 0, length, continuation[:length], continuation[length:])

    @classmethod
    def deduplicate(cls, checkpoint: str, continuation: str) -> str:
        return cls.detect_overlap(checkpoint, continuation).deduplicated


def drift_config(
    *,
    repetition_threshold: int = 3,
    sliding_window_size: int = 500,
    entropy_window: int = 0,  # noqa: ARG001 - the window is the same for all types
    **detect: bool,
) -> Any:
    """Return its `DriftConfig` as a `Drift`. ``detect``: its switches, such as ``detect_tone_shift``."""
    switches = {name.removeprefix("detect_"): on for name, on in detect.items()}
    return import_module("l0").Drift(repeats=repetition_threshold, window=sliding_window_size, **switches)


class DriftResult(NamedTuple):
    """The result of its `DriftDetector`."""

    detected: bool
    confidence: float
    types: list[str]
    details: str | None


class DriftDetector:
    """Its detector. Each call of `check` gets the whole text so far."""

    def __init__(self, config: Any = None) -> None:
        self._rule = drift_config() if config is None else config

    def check(self, content: str, delta: str | None = None) -> DriftResult:  # noqa: ARG002 - it is in the content
        violations = import_module("l0").Guardrails.check(content, self._rule)
        confidence = max((violation.confidence for violation in violations), default=0.0)
        types = [violation.rule.removeprefix("drift.") for violation in violations]
        details = "; ".join(violation.message for violation in violations) or None
        return DriftResult(bool(violations), confidence, types, details)

    def reset(self) -> None:
        """Do nothing: there is no state between two checks."""


FINAL_FAILURE: Final[Mapping[str, bool]] = {"will_retry": False, "will_fallback": False}
"""Parameters of its ``on_error``. Here, ``on_error`` is called once: when no retry and no fallback follows."""


# -- attributes of classes ------------------------------------------------------------------------------------------


class RetryAliases:
    """The presets of its ``Retry``."""

    __slots__ = ()

    @classmethod
    def minimal(cls) -> Self:
        return cls(attempts=2, max_retries=4, strategy="linear")  # type: ignore[call-arg]

    @classmethod
    def recommended(cls) -> Self:
        return cls()

    @classmethod
    def strict(cls) -> Self:
        return cls(strategy="full-jitter")  # type: ignore[call-arg]

    @classmethod
    def exponential(cls) -> Self:
        return cls(attempts=4, max_retries=8, strategy="exponential")  # type: ignore[call-arg]

    @classmethod
    def mobile(cls) -> Self:
        delays = {"background_throttle": 15.0, "timeout": 3.0, "connection_dropped": 2.5}
        return cls(max_delay=15.0, strategy="full-jitter", error_type_delays=delays)  # type: ignore[call-arg]

    @classmethod
    def edge(cls) -> Self:
        return cls(base_delay=0.5, max_delay=5.0)  # type: ignore[call-arg]


class EventAliases:
    """The attributes of its ``Event``."""

    __slots__ = ()

    is_message = property(lambda self: self.type == "message")
    is_data = property(lambda self: self.type == "data")
    is_progress = property(lambda self: self.type == "progress")
    is_tool_call = property(lambda self: self.type == "tool_call")
    is_error = property(lambda self: self.type == "error")
    is_complete = property(lambda self: self.type == "complete")
    payload = property(lambda self: self.data if self.type == "data" else None)
    progress = property(lambda self: self.data if self.type == "progress" else None)
    error = property(lambda self: self.data if self.type == "error" else None)

    @property
    def usage(self: Any) -> dict[str, int | None] | None:
        """The numbers of tokens, if this is the last event."""
        if self.type != "complete" or self.data is None:
            return None
        return {"input_tokens": self.data.input_tokens, "output_tokens": self.data.output_tokens}


class AttemptAliases:
    """The parameters of its ``on_start`` and ``on_fallback``, as attributes."""

    __slots__ = ()

    is_retry = property(lambda self: self.number > 1)
    is_fallback = property(lambda self: self.leg > 0)


class ToolCallAliases:
    """The parameters of its ``on_tool_call``, as attributes."""

    __slots__ = ()

    args = property(lambda self: self.arguments)


class CheckpointAliases:
    """The parameters of its ``on_checkpoint``, as attributes."""

    __slots__ = ()

    token_count = property(lambda self: self.tokens)


class StateAliases:
    """The fields of its ``State``."""

    __slots__ = ()

    token_count = property(lambda self: self.tokens)
    content_length = property(lambda self: len(self.content))
    fallback_index = property(lambda self: self.leg)
    resumed = property(lambda self: self.restarts > 0)
    drift_detected = property(lambda self: any(one.rule.startswith("drift.") for one in self.violations))
    model_retry_count = property(lambda self: sum(one.category in ("model", "content") for one in self.failures))
    network_retry_count = property(lambda self: len(self.network_errors))
    network_errors = property(lambda self: [one for one in self.failures if one.category in ("network", "transient")])


class GuardrailsAliases:
    """The rules of its ``Guardrails`` by their short names."""

    @classmethod
    def json(cls: Any) -> Any:
        return cls.json_rule()

    @classmethod
    def strict_json(cls: Any) -> Any:
        return cls.strict_json_rule()

    @classmethod
    def markdown(cls: Any) -> Any:
        return cls.markdown_rule()

    @classmethod
    def latex(cls: Any) -> Any:
        return cls.latex_rule()

    @classmethod
    def pattern(cls: Any) -> Any:
        return cls.pattern_rule()

    @classmethod
    def custom_pattern(cls: Any, patterns: Any, message: str = "a forbidden pattern", severity: str = "error") -> Any:
        """Return a pattern rule. There, strings are regular expressions, in any case; here, they are literal text."""
        listed = [patterns] if isinstance(patterns, str | re.Pattern) else patterns
        flags = re.IGNORECASE | re.MULTILINE
        compiled = [re.compile(each, flags) if isinstance(each, str) and each else each for each in listed]
        return cls.pattern_rule(compiled, message, severity=severity)

    @classmethod
    def zero_output(cls: Any) -> Any:
        return cls.zero_output_rule()

    @classmethod
    def repetition(cls: Any) -> Any:
        return cls.repetition_rule()

    @classmethod
    def stall(cls: Any) -> Any:
        return cls.stall_rule()


class ChunkAliases:
    """The fields of its ``DocumentChunk``."""

    __slots__ = ()

    start_pos = property(lambda self: self.start)
    end_pos = property(lambda self: self.end)
    is_first = property(lambda self: self.first)
    is_last = property(lambda self: self.last)
    char_count = property(lambda self: len(self.content))


class WindowAliases:
    """The navigation of its ``DocumentWindow``. Navigating keeps all windows in memory."""

    _chunks: list[Any] | None = None
    current_index = 0

    def get_all_chunks(self: Any) -> list[Any]:
        chunks: list[Any] = self._chunks or list(self)
        self._chunks = chunks
        return chunks

    total_chunks = property(lambda self: len(self.get_all_chunks()))
    config = property(lambda self: self)

    @classmethod
    def paragraph(cls: Any, document: Any, **options: Any) -> Any:
        return cls.create(document, **{"strategy": "paragraph", **options})

    @classmethod
    def sentence(cls: Any, document: Any, **options: Any) -> Any:
        return cls.create(document, **{"strategy": "sentence", **options})

    @classmethod
    def chunk(cls: Any, document: str, **options: Any) -> list[Any]:
        return list(cls.create(document, **options))

    @classmethod
    def estimate_tokens(cls: Any, text: str) -> int:
        return int(cls.create("", tokenizer="estimate").count(text))

    @staticmethod
    def merge_results(results: Any, separator: str = "\n\n") -> str:
        return separator.join(str(value) for value in results.succeeded)

    def get(self: Any, index: int) -> Any:
        return self.get_all_chunks()[index] if 0 <= index < self.total_chunks else None

    def get_range(self: Any, start: int, end: int) -> list[Any]:
        chunks: list[Any] = self.get_all_chunks()
        return chunks[max(start, 0) : max(end, 0)]

    def current(self: Any) -> Any:
        return self.get(self.current_index)

    def jump(self: Any, index: int) -> Any:
        chunk = self.get(index)
        if chunk is not None:
            self.current_index = index
        return chunk

    def next(self: Any) -> Any:
        return self.jump(self.current_index + 1)

    def prev(self: Any) -> Any:
        return self.jump(self.current_index - 1)

    def reset(self: Any) -> Any:
        return self.jump(0)

    def has_next(self: Any) -> bool:
        return bool(self.current_index + 1 < self.total_chunks)

    def has_prev(self: Any) -> bool:
        return bool(self.current_index)

    def find_chunks(self: Any, text: str, case_sensitive: bool = False) -> list[Any]:
        if case_sensitive:
            return [chunk for chunk in self.get_all_chunks() if text in chunk.content]
        return [chunk for chunk in self.get_all_chunks() if text.lower() in chunk.content.lower()]

    def get_context(self: Any, index: int, *, before: int = 0, after: int = 0) -> str:
        return WindowAliases.merge_chunks(self.get_range(index - before, index + after + 1))

    def get_chunks_in_range(self: Any, start_pos: int, end_pos: int) -> list[Any]:
        return [chunk for chunk in self.get_all_chunks() if chunk.start < end_pos and chunk.end > start_pos]

    @staticmethod
    def merge_chunks(chunks: list[Any]) -> str:
        merge: Callable[[list[Any]], str] = import_module("l0.orchestration.windows.chunks").merge
        return merge(chunks)


class ResultsAliases:
    """The fields of its ``ParallelResult``."""

    __slots__ = ()

    results = property(lambda self: [branch.value for branch in self])
    success_count = property(lambda self: len(self.succeeded))
    failure_count = property(lambda self: len(self.errors))
    duration = property(lambda self: self.stats.total_duration_ms)
    all_succeeded = property(lambda self: not self.errors)

    def successful_results(self: Any) -> list[Any]:
        return list(self.succeeded)


class RaceAliases:
    """The fields of its ``RaceResult``."""

    __slots__ = ()

    winner_index = property(lambda self: self.winner)


class ConsensusAliases:
    """The functions of its ``Consensus`` that need no tasks."""

    @staticmethod
    def _groups(outputs: Sequence[Any]) -> list[list[Any]]:
        """Return groups of equal outputs, the largest first."""
        groups: list[list[Any]] = []
        for output in outputs:
            group = next((group for group in groups if group[0] == output and type(group[0]) is type(output)), None)
            if group is None:
                groups.append([output])
            else:
                group.append(output)
        return sorted(groups, key=len, reverse=True)

    @classmethod
    def quick(cls, outputs: Sequence[Any], threshold: float = 0.8) -> bool:
        return bool(outputs) and len(cls._groups(outputs)[0]) >= threshold * len(outputs)

    @classmethod
    def get_value(cls, outputs: Sequence[Any]) -> Any:
        return cls._groups(outputs)[0][0] if outputs else None

    @staticmethod
    def validate(result: Any, min_confidence: float = 0.8) -> bool:
        return bool(result.agreement >= min_confidence)


class ConsensusResultAliases:
    """The fields of its ``ConsensusResult``."""

    __slots__ = ()

    consensus = property(lambda self: self.value)
    confidence = property(lambda self: self.agreement)


class RepairAliases:
    """The fields of its ``AutoCorrectResult``."""

    __slots__ = ()

    corrected = property(lambda self: bool(self.edits))
    corrections = property(lambda self: [edit.kind.value for edit in self.edits])


class StructuredAliases(RepairAliases):
    """The fields of its ``StructuredResult``."""

    __slots__ = ()

    data = property(lambda self: self.value)
    raw = property(lambda self: self.text)
