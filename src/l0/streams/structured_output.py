"""Request answers that are values: JSON that fits a schema, requested again if it does not fit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Generic, TypeVar, Unpack, cast, overload

from l0.migration import StructuredAliases
from l0.model.errors import StreamInterrupted, fill
from l0.model.failure import Cause
from l0.model.policy import Hold, Policy
from l0.model.rule import Rule
from l0.rules.guardrails.json_rules import JsonRule, StrictJsonRule
from l0.rules.structured.edits import Edit
from l0.rules.structured.partial import PartialValue
from l0.rules.structured.schema_results import Invalid
from l0.rules.structured.schema_rule import schema_rule
from l0.rules.structured.schemas import Schema
from l0.runtime.rule_runner import guardrails_of

from .call_options import CallArguments, base_of
from .run import run
from .stream import Stream
from .stream_events import EventType
from .stream_state import State

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Structured(StructuredAliases, Generic[_T]):
    """A valid answer. ``value``: an instance of the pydantic model, or plain Python for a JSON Schema. ``text``: the
    JSON of the value. ``edits``: the repairs that turned the model's text into this JSON; empty if it needed none."""

    value: _T
    text: str
    edits: tuple[Edit, ...]
    state: State


class StructuredStream(Generic[_T]):
    """A value that is being streamed: ``async for partial in stream`` yields the plain Python read so far, and `result`
    returns the complete value.

    Delivered values cannot be withdrawn, so an answer that does not fit raises. With ``resume="restart"``, another
    attempt is made instead, and the partial values start again. ``Policy.hold`` applies: with ``"verified"``, partial
    values contain only text that the guardrails have passed.
    """

    def __init__(self, stream: Stream, schema: Schema) -> None:
        self._stream = stream
        self._schema = schema
        self._values: AsyncIterator[Any] | None = None

    @property
    def state(self) -> State:
        """The live state, as `Stream.state`."""
        return self._stream.state

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._values is None:
            self._values = self._partial()
        return self._values

    async def _partial(self) -> AsyncIterator[Any]:
        partial = PartialValue()
        async for event in self._stream:
            if event.type is EventType.RESTART:
                partial = PartialValue()
            elif event.is_token and partial.feed(event.text):
                yield partial.value
        if partial.finish():
            yield partial.value

    async def result(self) -> Structured[_T]:
        """Read to the end and return the value. Raises what reading raises, and `StreamInterrupted` if the answer does
        not fit."""
        async for _ in self:
            pass
        return _result(self._schema, await self._stream.read(), self._stream.state)

    async def aclose(self) -> None:
        """Release everything, as `Stream.aclose`."""
        await self._stream.aclose()

    async def __aenter__(self) -> StructuredStream[_T]:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


@overload
async def structured(schema: type[_T], stream: Any, **options: Unpack[CallArguments]) -> Structured[_T]: ...
@overload
async def structured(schema: Any, stream: Any, **options: Unpack[CallArguments]) -> Structured[Any]: ...
async def structured(schema: Any, stream: Any, **options: Unpack[CallArguments]) -> Structured[Any]:
    """Request an answer that fits ``schema``: a pydantic model, a type that pydantic supports, or a JSON Schema.

    ``stream`` and options: as in `run`. L0 delivers an answer only when it is complete and fits. An answer that does
    not fit, or has only tool calls, is a failure of its content, which L0 retries as `Retry` allows. L0 repairs text
    that is not JSON (`EditKind` lists the edits) before it checks it against the schema. JSON that the length limit cut
    is an error, which L0 neither repairs nor retries. Guardrails read the text as it came, without their rules on JSON,
    because the schema decides. Raises what `run` and reading raise, and `PolicyError` for an invalid schema.
    """
    return await _complete(Schema.of(schema), stream, options)


async def structured_object(
    fields: Mapping[str, Any], stream: Any, **options: Unpack[CallArguments]
) -> Structured[Any]:
    """Request an object with these members, as `structured`. Each member is a type, or a pair of a type and a
    default."""
    return await _complete(Schema.of_fields(fields), stream, options)


async def structured_array(item: Any, stream: Any, **options: Unpack[CallArguments]) -> Structured[list[Any]]:
    """Request an array of items that fit ``item``, as `structured`."""
    return await _complete(Schema.array_of(item), stream, options)


@overload
async def structured_stream(
    schema: type[_T], stream: Any, **options: Unpack[CallArguments]
) -> StructuredStream[_T]: ...
@overload
async def structured_stream(schema: Any, stream: Any, **options: Unpack[CallArguments]) -> StructuredStream[Any]: ...
async def structured_stream(schema: Any, stream: Any, **options: Unpack[CallArguments]) -> StructuredStream[Any]:
    """Request a value as `structured`, and deliver it while it grows: see `StructuredStream`."""
    checked_schema = Schema.of(schema)
    return StructuredStream(await run(stream, **_with_schema(checked_schema, options)), checked_schema)


async def _complete(schema: Schema, stream: Any, options: CallArguments) -> Structured[Any]:
    async with await run(stream, **_with_schema(schema, options, Hold(until="message"))) as answer:
        return _result(schema, await answer.read(), answer.state)


def _with_schema(schema: Schema, options: CallArguments, hold: Hold | None = None) -> CallArguments:
    """Return the options of a call whose answer must fit the schema, even if the policy is in shadow mode.

    ``hold``: replaces that of the policy. Raises `PolicyError` if the policy's hold cannot keep back text that one of
    its rules would reject later.
    """
    policy = base_of(options)
    if policy.mode == "shadow":
        policy = Policy()
    changes: dict[str, Any] = {
        name: value for name in ("guardrails", "drift") if (value := options.get(name)) is not None
    }
    policy = replace(policy, hold=hold or policy.hold, **changes)
    # The schema decides about the JSON, after the repair: rules on JSON would fail what the repair mends.
    rules = [rule for rule in guardrails_of(policy) if not isinstance(rule, JsonRule | StrictJsonRule)]
    with_schema: tuple[Rule, ...] = (*rules, schema_rule(schema, allow_repair=True, requires_text=True))
    unused = {"fallback": (), "hedge": False, "adaptive": False, "structured": False}
    return cast(
        CallArguments,
        {**options, "policy": replace(policy, guardrails=(), **unused), "guardrails": with_schema},  # type: ignore[arg-type]
    )


def _result(schema: Schema, text: str, state: State) -> Structured[Any]:
    verdict = schema.verdict(text)
    if isinstance(verdict, Invalid):  # the rule did not run: it took too long at an earlier attempt
        message = f"the answer {verdict.flaw}"
        reason = Cause.GUARDRAIL_VIOLATION.value
        raise fill(StreamInterrupted(message), {"partial_text": text, "reason": reason, "attempts": state.attempts})
    return Structured(value=verdict.value, text=verdict.text, edits=verdict.edits, state=state)
