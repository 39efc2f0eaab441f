"""Turn the options of a call into a policy for the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, TypedDict, get_args

from l0.config import CONFIG, check_observers
from l0.migration import translated
from l0.model.async_functions import is_async
from l0.model.call import Call, LegEndpoint, RetrySafety
from l0.model.caller_warning import warn_caller
from l0.model.function_observer import EventFunction, as_observer
from l0.model.option_names import unknown_option
from l0.model.policy import (
    RETRY_DEFAULTS,
    CheckIntervals,
    Fallback,
    GuardrailsPreset,
    Policy,
    PolicyError,
    Retry,
    Timeout,
)
from l0.model.ports import Observer
from l0.model.rule import Rule, Violation

from . import sources
from .adapters import ADAPTERS, Adapter, check_adapter
from .callback_arguments import Callback
from .callbacks import NAMES, Callbacks
from .source_call_adapter import Factory, takes_text
from .source_failures import Classify

OnViolation = Callable[[Violation], None]
Resume = Literal["off", "exact", "splice", "restart"]


class CallArguments(TypedDict, total=False):
    """The options of one call. Options that are left out are as in the policy.

    ``policy``: the policy to start from; by default that of the block (`l0.policy`) or of `l0.instrument`. ``timeout``,
    ``retry``, ``guardrails``, ``drift``, ``check_intervals``: as in `Policy`, and replace its fields. Without them or a
    policy: no time limits, `RETRY_DEFAULTS`, no rules. ``fallbacks``: functions that return a stream, called in this
    order if the primary cannot answer. After a part was delivered, a fallback serves only with ``resume="splice"`` (if
    it takes the text so far) or ``"restart"``. ``resume``: the handling of an answer that breaks after a part was
    delivered: ``"off"`` raises; ``"exact"`` requests it again and raises at the first difference; ``"splice"`` calls
    the function with the text so far, for a continuation; ``"restart"`` starts again, which an event of type
    ``restart`` reports. ``classify``: a function that gets an exception of a source and returns its `Cause`, or
    ``None`` to let L0 decide. ``context``: values of your own by name, such as a request id, for callbacks
    (``state.context``) and observers (``call.context``); not on spans. ``adapter``: the adapter for the items of all
    sources; by default L0 chooses one. ``observers``: as in `l0.instrument`, for this call in addition. Callbacks
    (``on_token`` and others): functions with the arguments that the guide lists.
    """

    fallbacks: Sequence[Any] | None
    timeout: Timeout | None
    retry: Retry | None
    guardrails: Rule | Sequence[Rule] | GuardrailsPreset | None
    drift: Rule | bool | None
    check_intervals: CheckIntervals | None
    policy: Policy | None
    resume: Resume | None
    classify: Classify | None
    adapter: Adapter | None
    context: Mapping[str, Any] | None
    observers: Sequence[Observer | EventFunction] | None
    on_start: Callback | None
    on_token: Callback | None
    on_event: Callback | None
    on_checkpoint: Callback | None
    on_violation: Callback | None
    on_drift: Callback | None
    on_timeout: Callback | None
    on_retry: Callback | None
    on_fallback: Callback | None
    on_resume: Callback | None
    on_tool_call: Callback | None
    on_abort: Callback | None
    on_error: Callback | None
    on_complete: Callback | None


_NEEDS_SDK = ("fallback", "hedge", "adaptive", "structured")
"""Fields of a policy that the explicit API ignores. They are no errors, since a policy may be for all calls of a
process."""
_POLICY_FIELDS = ("timeout", "retry", "guardrails", "drift", "check_intervals")


UNKNOWN_ENDPOINT = LegEndpoint("unknown", "", 0)
"""The server of a source that has sent no request through a patched SDK."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """Checked options. ``sources``: the factories of the primary and the fallbacks. ``name``: that of the primary's
    source. ``shadow``: a policy that only
    observes; the options of the call itself still apply. ``violations``: what the rules have found so far."""

    sources: tuple[Factory, ...]
    name: str
    policy: Policy
    shadow: Policy | None
    callbacks: Callbacks
    violations: list[Violation]
    classify: Classify | None
    adapter: Adapter | None
    context: Mapping[str, Any]
    observers: Sequence[Observer]
    once: bool
    """True if the primary is not a factory, so that it can be read only once."""

    def call(self, endpoints: Sequence[LegEndpoint]) -> Call:
        """Return the description of the call, as far as it is known before a source is opened. ``endpoints``: the
        servers of the fallbacks, which become known later."""
        retry = self.policy.retry or RETRY_DEFAULTS
        mode = self.policy.truncation
        return Call(
            operation="chat",
            provider=UNKNOWN_ENDPOINT.provider,
            model=self.name,
            dialect="events",
            streaming=True,
            origin="",
            host=UNKNOWN_ENDPOINT.host,
            port=UNKNOWN_ENDPOINT.port,
            fallback_endpoints=endpoints,
            retry_safety=RetrySafety.SAFE,
            max_retries=0 if self.once else retry.max_retries,
            read_once="the source" if self.once else "",
            policy=self.policy,
            shadow=self.shadow,
            context=self.context,
            unresumable_legs=self._unresumable(),
            strict={"warn": False, "off": None}.get(mode, True) if isinstance(mode, str) else True,
        )

    def _unresumable(self) -> frozenset[int]:
        """Return the legs whose factory takes no text, if answers are continued by their text."""
        if self.policy.resume != "splice":
            return frozenset()
        return frozenset(leg for leg, factory in enumerate(self.sources) if not takes_text(factory))


def current_names(stream: Any, options: CallArguments) -> tuple[Any, CallArguments]:
    """Return a stream and its options. Options of L0 for Python, the earlier library, get their names in this one."""
    if options.keys() <= CallArguments.__annotations__.keys() and not isinstance(options.get("adapter"), str):
        return stream, options
    return translated(stream, options)  # type: ignore[return-value]  # `check` refuses unknown options


def check(stream: Any, options: CallArguments) -> Policy:
    """Check a stream and the options that do not become fields of a policy. Return the policy to start from.

    Raises `PolicyError` for an option that is not allowed, and `UnknownStreamError` for something that is not a stream.
    """
    known = CallArguments.__annotations__
    for name, value in options.items():
        if name not in known:
            raise unknown_option("run", name, value, known, field=name)
    adapter = options.get("adapter")
    if adapter is not None:
        check_adapter(adapter)
    if not callable(stream) and not sources.is_source(stream, adapter):
        raise ADAPTERS.unknown(stream, "the stream")
    fallbacks = _default(options.get("fallbacks"), ())
    is_list = isinstance(fallbacks, Sequence) and not isinstance(fallbacks, str | bytes)
    if not is_list or not all(callable(factory) for factory in fallbacks):
        raise PolicyError("fallbacks", fallbacks, "a list of functions that return a stream")
    resume = options.get("resume")
    if resume is not None and resume not in get_args(Resume):
        raise PolicyError("resume", resume, "one of " + ", ".join(get_args(Resume)))
    hook = options.get("classify")
    if hook is not None and (not callable(hook) or is_async(hook)):
        raise PolicyError("classify", hook, "a plain function of an exception that returns a cause or None")
    context = _default(options.get("context"), {})
    if not isinstance(context, Mapping) or not all(isinstance(name, str) for name in context):
        raise PolicyError("context", context, "a mapping of names to values")
    check_observers(_default(options.get("observers"), ()))
    if resume == "splice" and not (callable(stream) and takes_text(stream)):
        raise PolicyError("stream", stream, "with resume='splice', a function that takes the text so far")
    return base_of(options)


def call_options(stream: Any, options: CallArguments, *, sync: bool) -> CallOptions:
    """Check the options of a call, as `check`, and turn them into its policy."""
    stream, options = current_names(stream, options)
    base = check(stream, options)
    callbacks = Callbacks({name: options.get(name) for name in NAMES}, sync=sync)  # type: ignore[misc]
    fallbacks, resume = _default(options.get("fallbacks"), ()), options.get("resume")
    violations: list[Violation] = []
    name, *fallback_names = _names((stream, *fallbacks))
    make_policy = _policy_maker(options, resume, fallback_names, _recorder(callbacks, violations))
    observes = base.mode == "shadow"
    return CallOptions(
        sources=(stream if callable(stream) else lambda: stream, *fallbacks),
        name=name,
        policy=make_policy(Policy() if observes else base),
        shadow=make_policy(base) if observes else None,
        callbacks=callbacks,
        violations=violations,
        classify=options.get("classify"),
        adapter=options.get("adapter"),
        context=MappingProxyType(dict(_default(options.get("context"), {}))),
        observers=tuple(map(as_observer, _default(options.get("observers"), ()))),
        once=not callable(stream),
    )


def base_of(options: CallArguments) -> Policy:
    """Return the policy that a call starts from. Raises `PolicyError`, also if the call's own policy turns L0 off.

    A block or a variable that turns L0 off concerns the calls of instrumented SDKs only, because streams, results and
    rules of the explicit API exist only in L0.
    """
    base = _default(options.get("policy"), CONFIG.policy())
    if not isinstance(base, Policy):
        raise PolicyError("policy", base, "an l0.Policy, or None")
    if base.mode == "off":
        if options.get("policy") is not None:
            raise PolicyError(
                "policy.mode", "off", "active or shadow: only calls of an instrumented SDK can do without L0"
            )
        base = replace(base, mode="active")
    unused = [name for name in _NEEDS_SDK if getattr(options.get("policy"), name, None)]
    if unused:
        names = ", ".join(f"policy.{name}" for name in unused)
        instead = "; use fallbacks=" if "fallback" in unused else ""
        warn_caller(f"the explicit API ignores {names}, which only calls of an instrumented SDK follow{instead}")
    return base


def _names(sources: Sequence[Any]) -> list[str]:
    """Return the names of sources whose provider and model are not known, for spans, breakers and budgets.

    They differ by leg, because functions that one function returns have the same name, and may request different
    models.
    """
    names: list[str] = []
    for leg, name in enumerate(map(_name_of, sources)):
        names.append(f"{name} (fallback {leg})" if name in names else name)
    return names


def _name_of(source: Any) -> str:
    """Return the module and the name of a function, or of an object's class; for a lambda also its line."""
    while isinstance(source, partial):
        source = source.func
    kind = source if hasattr(source, "__qualname__") else type(source)
    code = getattr(source, "__code__", None)
    line = f":{code.co_firstlineno}" if code is not None and code.co_name == "<lambda>" else ""
    module = getattr(kind, "__module__", None)  # a coroutine has none
    return f"{module}.{kind.__qualname__}{line}" if module else kind.__qualname__


def _policy_maker(
    options: CallArguments, resume: Resume | None, fallback_names: Sequence[str], ours: OnViolation
) -> Callable[[Policy], Policy]:
    """Return the function that applies the options of the call to a policy."""
    changes: dict[str, Any] = {name: value for name in _POLICY_FIELDS if (value := options.get(name)) is not None}

    def make_policy(base: Policy) -> Policy:
        fields = {"retry": base.retry or RETRY_DEFAULTS} | changes
        if resume is not None:
            fields["resume"] = resume
        elif base.resume == "prefill":
            fields["resume"] = "off"  # only a provider package can write the request for a prefill
        return replace(
            base,
            **fields,
            fallback=tuple(Fallback(model=name) for name in fallback_names),
            on_violation=_both(ours, base.on_violation),
            adaptive=False,
            hedge=False,
        )

    return make_policy


def _default(value: Any, default: Any) -> Any:
    return default if value is None else value


def _recorder(callbacks: Callbacks, violations: list[Violation]) -> OnViolation:
    """Return a function that records violations, and queues them for the matching callback."""

    def record(violation: Violation) -> None:
        violations.append(violation)
        callbacks.queue("on_drift" if violation.rule.startswith("drift.") else "on_violation", violation)

    return record


def _both(ours: OnViolation, theirs: OnViolation | None) -> OnViolation:
    """Return a function that calls ours, and then the policy's own."""

    def both(violation: Violation) -> None:
        ours(violation)
        if theirs is not None:
            theirs(violation)

    return both
