"""Hold all process-wide settings: the default policy, its override for a block, observers, and shared state."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from time import monotonic
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol
from warnings import warn

from l0.console.call_summary import Summary
from l0.console.call_tally import CallTally
from l0.model.async_functions import is_async
from l0.model.call import Call
from l0.model.callback_check import takes
from l0.model.caller_warning import caller_line
from l0.model.fleet_url import fleet_url
from l0.model.function_observer import EventFunction, as_observer, is_event_function
from l0.model.option_names import refuses_unknown_options, unknown_option
from l0.model.policy import ENCLOSED_RETRY, Policy, PolicyError
from l0.model.policy_from_environment import EnvironmentSettings
from l0.model.ports import CallAdapter, CallObserver, Observer, trace_ids_of
from l0.recording.recording_options import RecordingOptions
from l0.runtime.observer_guard import report_observer_failure
from l0.runtime.own_observers import OwnObservers
from l0.runtime.watchdog import WATCHDOG
from l0.shared_state.forks import renew_in_child
from l0.shared_state.late_settings import LATE_SETTINGS
from l0.shared_state.scoped_values import Block, Scoped
from l0.shared_state.shared import SharedState
from l0.telemetry.call_log import CALL_LOG

if TYPE_CHECKING:
    from l0.console.console import Console
    from l0.recording.recorder import FlightRecorder
    from l0.shared_state.fleet.fleet import Fleet

_log = logging.getLogger("l0")
_BUILT_IN = Policy()
_enclosing_call: Scoped[EnclosingCall] = Scoped("l0_serving")
"""The call of the explicit API whose attempts are the requests made in the block."""
_block_observers: Scoped[tuple[Observer, ...]] = Scoped("l0_block_observers")
"""Additional observers of the calls made in a block."""
OWN_POLICY = "_l0_policy"
"""Attribute of a client's class that holds the policy of its calls."""
_EXPLICIT_API = "l0.streams.run"
"""The module that runs calls without a patched SDK. In a program that has imported it, a policy may have an effect."""
_CURRENT: Any = object()
"""The default of an argument: the current policy."""
_SINGLE_ATTEMPT = Policy(retry=ENCLOSED_RETRY)


class BlockPolicy(NamedTuple):
    """The policy of a block.

    ``sets_mode``: the block, or one whose fields it keeps, sets `Policy.mode`. Else a client or a variable may turn L0
    off for the calls in the block.
    """

    policy: Policy
    sets_mode: bool


_override: Scoped[BlockPolicy] = Scoped("l0_policy")


class EnclosingCall(Protocol):
    """A call of the explicit API, as the engine in a patched SDK below sees it."""

    def observe_request(self, call: Call, sdk: str | None, call_adapter: CallAdapter | None) -> CallObserver:
        """Return the observer of a request of the current attempt. ``sdk``: the import name of the patched SDK.
        ``call_adapter``: makes the exceptions of that SDK."""
        ...


class Config:
    """The process-wide settings. Reading takes no lock because each field is replaced in one assignment."""

    def __init__(self) -> None:
        self.renew()
        renew_in_child(self)
        self._default: Policy | None = None
        self.environment = EnvironmentSettings()
        self._replaced_variables = ""
        self.own_observers = OwnObservers()
        self._added: tuple[Observer, ...] = ()
        self._for_all_calls: tuple[Observer, ...] = ()
        self._direct: bool | None = None
        self._timeline: bool | None = None
        self._is_console_on: bool | None = None
        self._summary: bool | None = None
        self._is_counting = False
        self._console: Console | None = None
        self._tally: CallTally | None = None
        self._record: RecordingOptions | bool | None = None
        self._record_content: bool | None = None
        self._provider_names: Mapping[str, str] | None = None
        self.provider_names: Mapping[str, str] = {}
        """The names of providers by host or ``host:port``, which replace L0's own."""
        self._recorder: FlightRecorder | None = None
        self._fleet: str | Literal[False] | None = None
        self.reads = 0
        """The number of times that `policy` was called. If it did not change in a block, no call began there."""
        self.shared_state = SharedState()

    def renew(self) -> None:
        """Replace the lock in a forked child, because another thread of the parent may hold it.

        The fields are consistent even then, because each is replaced in one assignment.
        """
        self._lock = threading.RLock()

    def set_default(self, policy: Policy | None) -> None:
        """Set the policy of calls that have no other. ``None``: as the environment says.

        Raises `PolicyError` for another type, or for rules that cannot be used.
        """
        check_policy(policy)
        with self._lock:
            self._default = policy
        self._log_replaced_variables()

    @property
    def default(self) -> Policy | None:
        """The policy that code has set for all calls, if any."""
        return self._default

    def set_environment(self, settings: EnvironmentSettings) -> None:
        """Set what the environment asks for. Settings in code take precedence. Log each problem once."""
        settings = _with_usable_fleet(settings)
        with self._lock:
            logged, self.environment = self.environment.problems, settings
            self.shared_state.timelines = self.timeline
            self._update_observers()
            self.set_provider_names(self._provider_names)
        CALL_LOG.use_file(settings.log)
        self._use_recorder()
        self._use_fleet()
        for problem in settings.problems:
            if problem not in logged:
                _log.warning("%s", problem)
        self._log_replaced_variables()

    def _log_replaced_variables(self) -> None:
        """Log the variables that have no effect because code has set a policy, if they have changed."""
        with self._lock:
            names = "" if self._default is None else self.environment.replaced_by(self._default)
            logged, self._replaced_variables = self._replaced_variables, names
        if names and names != logged:
            _log.warning("the policy in code replaces that of the environment: %s", names)

    def set_provider_names(self, names: Mapping[str, str] | None) -> None:
        """Set the names of providers by host or ``host:port``. ``None``: as the environment says."""
        with self._lock:
            self._provider_names = names
            self.provider_names = self.environment.provider_names if names is None else dict(names)

    def provider_name(self, provider: str, host: str, port: int) -> str:
        """Return the name of a provider, as the user has set it for this host, else as L0 knows it."""
        names = self.provider_names
        return (names.get(f"{host}:{port}") or names.get(host) or provider) if names else provider

    def set_direct(self, direct: bool | None) -> None:
        """Turn direct reading of streams from their connections on or off. ``None``: as the environment says."""
        with self._lock:
            self._direct = direct

    @property
    def direct(self) -> bool:
        """True if streams that are opened from now on may be read directly from their connections."""
        return self.environment.direct if self._direct is None else self._direct

    def set_timeline(self, timeline: bool | None) -> None:
        """Turn timelines on or off for calls that begin from now on. ``None``: as the environment says."""
        with self._lock:
            self._timeline = timeline
            self.shared_state.timelines = self.timeline

    @property
    def timeline(self) -> bool:
        """True if the token flow of streams is recorded, as a timeline on the call's span."""
        return self.environment.timeline if self._timeline is None else self._timeline

    def set_console(self, console: bool | None) -> None:
        """Turn the console on or off for calls that begin from now on. ``None``: as the environment says."""
        with self._lock:
            self._is_console_on = console
            self._update_observers()

    def set_summary(self, summary: bool | None) -> None:
        """Turn the counting of calls on or off. ``None``: it is on if the console is."""
        with self._lock:
            self._summary = summary
            self._update_observers()

    @property
    def console(self) -> bool:
        """True if calls are shown on stderr."""
        return self.environment.console if self._is_console_on is None else self._is_console_on

    @property
    def tally(self) -> CallTally | None:
        """The counts of the calls; ``None`` if nothing was ever counted."""
        return self._tally

    def _update_observers(self) -> None:
        """Update the observers of all calls after a setting has changed."""
        observers: list[Observer] = [*self._added]
        was_counting, self._is_counting = self._is_counting, self.console or bool(self._summary)
        if self._is_counting:
            self._tally = self._tally or CallTally(monotonic)
            if not was_counting:
                self._tally.renew()
            observers.append(self._tally)
        if self.console and self._tally is not None:
            from l0.console.console import Console  # few processes need it

            self._console = self._console or Console(self._tally)
            observers.append(self._console)
        if self._console is not None:
            self._console.switch(on=self.console)
        self._for_all_calls = tuple(observers)

    def set_record(self, record: RecordingOptions | bool | None) -> None:
        """Record calls that begin from now on with these options.

        ``False``: not at all. ``None``: as the environment says.
        """
        with self._lock:
            self._record = record
        self._use_recorder()

    def set_record_content(self, content: bool | None) -> None:
        """Record the bodies of requests, or not. ``None``: as the options or the environment say."""
        with self._lock:
            self._record_content = content
        self._use_recorder()

    @property
    def recording(self) -> RecordingOptions | None:
        """The settings of the recorder; ``None`` if calls are not recorded."""
        options, environment = self._record, self.environment
        if options is None and environment.record is not None:
            options = RecordingOptions(folder=environment.record, content=environment.record_content)
        if not isinstance(options, RecordingOptions):
            return None
        return options if self._record_content is None else replace(options, content=self._record_content)

    def _use_recorder(self) -> None:
        """Start or stop recording, if the settings have changed."""
        with self._lock:
            options, current = self.recording, self._recorder
            if options == (current.options if current is not None else None):
                return
            self._recorder = None if options is None else _recorder(options)
            self.shared_state.recorder = self._recorder
        if current is not None:
            current.close()

    def flush_recording(self, timeout_s: float) -> None:
        """Write what the recorder has collected, if calls are recorded. Wait for at most ``timeout_s`` seconds."""
        recorder = self._recorder
        if recorder is not None:
            recorder.flush(timeout_s)

    def set_fleet(self, url: str | Literal[False] | None) -> None:
        """Share breakers, budgets and other health state through this Redis.

        ``False``: not at all. ``None``: as the environment says.
        """
        with self._lock:
            self._fleet = url
        self._use_fleet()

    @property
    def fleet(self) -> str | None:
        """The URL of the fleet's Redis; ``None`` if this process is not in a fleet."""
        return (self.environment.fleet if self._fleet is None else self._fleet) or None

    def _use_fleet(self) -> None:
        """Join or leave a fleet, if the settings have changed."""
        with self._lock:
            url, current = self.fleet, self.shared_state.fleet
            if url == (current.url if current is not None else None):
                return
            self.shared_state.share(None if url is None else _join(url))
        if current is not None:
            current.stop()

    def set_switches(self, switches: Mapping[str, bool | None]) -> None:
        """Turn settings on or off by their names in `_SWITCHES`. ``None``: as the environment says."""
        for name, on in switches.items():
            _SWITCHES[name](self, on)

    def reset(self) -> None:
        """Forget what code and the environment have set. Stop the thread that watches deadlines.

        Calls that are running keep their observers.
        """
        self.set_default(None)
        self.add_observers(())
        self.set_switches(dict.fromkeys(_SWITCHES))
        self.set_record(None)
        self.set_provider_names(None)
        self.set_fleet(None)
        self.set_environment(EnvironmentSettings())
        with self._lock:
            self.own_observers = OwnObservers()
        CALL_LOG.reset()
        WATCHDOG.stop()

    def set_observers(self, observers: Sequence[Observer], sdk: str | None = None, *, given: bool = False) -> None:
        """Set L0's own observers (spans and metrics) of every call through one SDK; without ``sdk``, of every call.

        ``given``: they report to OpenTelemetry providers that the program gave to the SDK's instrumentor.
        """
        with self._lock:
            own = OwnObservers() if sdk is None else self.own_observers
            self.own_observers = own.with_sdk(sdk, observers, given=given)

    def drop_observers(self, sdk: str) -> None:
        """Forget L0's own observers of the calls through one SDK. Calls that have begun keep theirs."""
        with self._lock:
            self.own_observers = self.own_observers.without(sdk)

    def add_observers(self, observers: Sequence[Observer | EventFunction]) -> None:
        """Set the application's own observers, in addition to those of `set_observers`. Raises `PolicyError`."""
        check_observers(observers)
        with self._lock:
            self._added = tuple(map(as_observer, observers))
            self._update_observers()

    def policy(self, client: object = None) -> Policy:
        """Return the current policy: of the block, else of the ``client`` (`streams.wrapping`), else of all calls.

        A client or a variable that turns L0 off does so also if another policy applies that does not set the mode.
        """
        self.reads += 1
        block = _override.get()
        of_client: Policy | None = getattr(client, OWN_POLICY, None)
        if block is not None and block.sets_mode:
            return block.policy
        if block is not None:
            chosen = block.policy
        else:
            chosen = of_client or self._default or self.environment.policy or _BUILT_IN
        is_client_off = of_client is not None and of_client.mode == "off" and chosen.mode == "active"
        return replace(chosen, mode="off") if is_client_off or self.environment.turns_off(chosen) else chosen

    @property
    def listening(self) -> bool:
        """True if a call without an SDK has observers."""
        return bool(self.own_observers.of_others or self._for_all_calls or _block_observers.get())

    def observers_of(
        self, call: Call, sdk: str | None = None, call_adapter: CallAdapter | None = None
    ) -> list[CallObserver]:
        """Return the observers of this call through ``sdk``, with its ``call_adapter``.

        An attempt of an enclosing call has that call's observer only.
        """
        enclosing = _enclosing_call.get()
        if enclosing is not None:
            return [enclosing.observe_request(call, sdk, call_adapter)]
        return self.outermost_observers_of(call, self.own_observers.of(sdk))

    def outermost_observers_of(
        self, call: Call, observers: Sequence[Observer], of_call: Sequence[Observer] = ()
    ) -> list[CallObserver]:
        """Return the observers of a call that no other call encloses.

        ``observers``: L0's own. ``of_call``: the observers of this call alone.
        """
        others = (*self._for_all_calls, *(_block_observers.get() or ()), *of_call)
        if not self._added and not of_call:
            return _call_observers((*observers, *others), call)
        own = _call_observers(observers, call)
        trace_id, span_id = trace_ids_of(own)  # L0's own observers start the span, whose ids the others see
        return own + _call_observers(others, replace(call, trace_id=trace_id, span_id=span_id))


_SWITCHES: dict[str, Callable[[Config, bool | None], None]] = {
    "direct": Config.set_direct,
    "timeline": Config.set_timeline,
    "console": Config.set_console,
    "summary": Config.set_summary,
    "record_content": Config.set_record_content,
}
"""The arguments of `l0.instrument` that are on or off, with the method that sets each."""


def _recorder(options: RecordingOptions) -> FlightRecorder:
    from l0.recording.recorder import FlightRecorder  # it imports sqlite3, which few programs need

    return FlightRecorder(options)


def _join(url: str) -> Fleet:
    from l0.shared_state.fleet.fleet import Fleet  # few processes need it

    return Fleet(url)


def _with_usable_fleet(settings: EnvironmentSettings) -> EnvironmentSettings:
    try:
        check_fleet(settings.fleet)
    except ImportError as error:
        return replace(settings, fleet=None, problems=(*settings.problems, f"L0_FLEET is ignored: {error}"))
    return settings


def check_policy(policy: object) -> None:
    """Raise `PolicyError` for anything but ``None`` and a policy."""
    if policy is not None and not isinstance(policy, Policy):
        raise PolicyError("policy", policy, "an l0.Policy, or None")


def check_provider_names(names: object) -> None:
    """Raise `PolicyError` for anything but ``None`` and a mapping of hosts to names."""
    if names is None:
        return
    texts = [*names, *names.values()] if isinstance(names, Mapping) else [None]
    if not all(isinstance(text, str) and text for text in texts):
        raise PolicyError("provider_names", names, 'a mapping such as {"localhost:8000": "vllm"}')


def check_fleet(fleet: object) -> None:
    """Raise `PolicyError` for anything but ``None``, ``False`` and a URL; `ImportError` without the extra."""
    if fleet_url(fleet):
        try:
            import redis  # noqa: F401
        except ImportError as error:
            raise ImportError("a fleet needs redis: pip install 'l0-otel[redis]'") from error


def check_observers(observers: object) -> None:
    """Raise `PolicyError` for anything that is not a list of observers."""
    allowed = (
        "a list of functions of (call, event), or of objects with a method observe(call), such as an l0.types.Observer"
    )
    if not isinstance(observers, Sequence) or isinstance(observers, str | bytes):
        raise PolicyError("observers", observers, allowed)
    for observer in observers:
        if is_event_function(observer) and takes(observer, 2):
            continue
        observe = getattr(observer, "observe", None) or getattr(observer, "watch", None)
        if isinstance(observer, type) or not callable(observe) or iscoroutinefunction(observe):
            raise PolicyError("observers", observer, f"{allowed} that is not async")


def _call_observers(observers: Sequence[Observer], call: Call) -> list[CallObserver]:
    """Return what each observer returns for this call. An observer that raises is left out."""
    call_observers = []
    for observer in observers:
        try:
            call_observer = (getattr(observer, "observe", None) or _former_observe(observer))(call)
        except Exception:  # a defect of an observer must not fail the call
            report_observer_failure(observer, "observe")
            continue
        if call_observer is not None:
            call_observers.append(call_observer)
    return call_observers


def _former_observe(observer: Observer) -> Callable[[Call], CallObserver | None]:
    """Return an observer's ``watch``: the former name of ``observe`` works for one release."""
    warn(f"{type(observer).__name__}.watch is now named observe", DeprecationWarning, stacklevel=2)
    former: Callable[[Call], CallObserver | None] = observer.watch  # type: ignore[attr-defined]
    return former


CONFIG = Config()


def summary() -> Summary:
    """Return how many calls of this process were whole, recovered or failed, and why; their speed; the cost of retries.

    Calls are counted after ``l0.instrument(summary=True)``, or while the console is on. If calls were never counted,
    the summary is empty, and a `RuntimeWarning` says so.
    """
    tally = CONFIG.tally
    if tally is None:
        text = "l0.summary() is empty, because no calls are counted: use l0.instrument(summary=True)"
        warn(text, RuntimeWarning, stacklevel=2)
    return (tally or CallTally(monotonic)).summary()


@refuses_unknown_options
def flush_recording(timeout_s: float = 5.0) -> None:
    """Write what has been recorded so far (docs/recording.md). Wait for at most ``timeout_s`` seconds.

    Without it, L0 writes four times per second, and when the process ends. Does nothing if calls are not recorded.
    """
    CONFIG.flush_recording(timeout_s)


def policy(policy: Policy = _CURRENT, /, **changes: Any) -> PolicyBlock:
    """Use another policy for the calls made in one block, in this thread or task.

    ``with l0.policy(Policy.interactive()): ...``, or change single fields of the current policy:
    ``with l0.policy(timeout=Timeout(total=30_000)): ...``. A client that is off, and ``L0_MODE=off``, stay so unless a
    block sets ``mode``. As a decorator of a function or coroutine function it applies to each of its calls. Raises
    `PolicyError` for a value that is not allowed. Warns at the caller's line if the result is not used, or if nothing
    in the block could follow the policy because no SDK is instrumented.

    The block may end in another context, task or thread than it began in: leaving it never raises, and ends the policy
    in every context. In a generator, the policy applies while the generator runs, in any context, but not in the body
    of a ``for`` or ``async for`` loop over it. If the items are requested by ``next()`` or ``anext()`` instead, as
    context managers, fixtures and dependency systems do, the policy also applies between two items.

    As any context variable, it applies in tasks that start in the block, and in `asyncio.to_thread`. It does not apply
    in a `threading.Thread` or in the threads of an executor, which have their own contexts: enter a block there, or
    run ``contextvars.copy_context().run(function)`` with a copy that was made in the block.

    A call belongs to the block in which its request is sent: a `.stream()` helper sends it on entry to its ``with``.
    """
    if policy is None:
        raise PolicyError("policy", None, "an l0.Policy, or fields of one such as timeout=l0.Timeout(total=30_000)")
    return PolicyBlock(None if policy is _CURRENT else policy, changes)


class PolicyBlock:
    """The context manager and decorator that `policy` returns."""

    __slots__ = ("_base", "_blocks", "_changes", "_created", "_used")

    def __init__(self, base: Policy | None, changes: Mapping[str, Any]) -> None:
        self._used = True  # no warning from `__del__` if the arguments are invalid
        self._base = base
        self._changes = changes
        self._blocks: list[tuple[Block[BlockPolicy], int]] = []
        self._policy()
        self._created = caller_line()
        self._used = False

    def _policy(self) -> Policy:
        base = CONFIG.policy() if self._base is None else self._base
        if not isinstance(base, Policy):
            raise PolicyError("policy", base, "an l0.Policy")
        for field, value in self._changes.items():
            if field not in Policy.__dataclass_fields__:
                known = [each.name for each in fields(Policy)]
                raise unknown_option("Policy", field, value, known, field=f"policy.{field}")
        return replace(base, **self._changes)

    def _sets_mode(self) -> bool:
        outer = _override.get() if self._base is None else None
        return "mode" in self._changes or (outer is not None and outer.sets_mode)

    def __enter__(self) -> Policy:
        self._used = True
        chosen = self._policy()
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__") == "contextlib":  # an `ExitStack`
            frame = frame.f_back
        self._blocks.append((_override.enter(BlockPolicy(chosen, self._sets_mode()), frame), CONFIG.reads))
        return chosen

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        block, reads = self._blocks.pop()
        _override.leave(block)
        if kind is None and reads == CONFIG.reads and not (LATE_SETTINGS.instrumented or _EXPLICIT_API in sys.modules):
            changed = self._base is not None or self._changes
            if changed:
                self._created.warn(
                    "l0.policy(...) has no effect, as no SDK is instrumented: call l0.instrument() first"
                )

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function`` with this policy for each of its calls."""
        self._used = True
        if not callable(function) or isgeneratorfunction(function) or isasyncgenfunction(function):
            allowed = "a function or coroutine function; inside a generator use `with l0.policy(...)`"
            raise PolicyError("policy", function, allowed)
        if is_async(function):

            @wraps(function)
            async def with_policy_async(*args: Any, **kwargs: Any) -> Any:
                with PolicyBlock(self._base, self._changes):
                    return await function(*args, **kwargs)

            return with_policy_async

        @wraps(function)
        def with_policy(*args: Any, **kwargs: Any) -> Any:
            with PolicyBlock(self._base, self._changes):
                return function(*args, **kwargs)

        return with_policy

    def __del__(self) -> None:
        if not self._used:
            self._created.warn("l0.policy(...) has no effect by itself: use it as `with l0.policy(...):`")


@contextmanager
def observed_by(observer: Observer) -> Iterator[None]:
    """Add an observer for the calls made in this block, in this thread or task."""
    block = _block_observers.enter((*(_block_observers.get() or ()), observer))
    try:
        yield
    finally:
        _block_observers.leave(block)


def block_observers() -> tuple[Observer, ...]:
    """Return the observers of the blocks of `observed_by` that are running."""
    return _block_observers.get() or ()


def policy_of_code() -> Policy | None:
    """Return the policy of the block, or of all calls, that code has set; ``None`` if there is none."""
    block = _override.get()
    return CONFIG.default if block is None else block.policy


@contextmanager
def attempt(call: EnclosingCall, **limits: Any) -> Iterator[None]:
    """Treat the requests made in this block as attempts of an enclosing call, which does the retries.

    They are sent once, and only ``call`` observes them. ``limits``: fields of `Policy` that they must still obey
    (``truncation``, ``order``, ``timeout``); ``None`` for none.
    """
    set_limits = {name: limit for name, limit in limits.items() if limit is not None}
    single_attempt = replace(_SINGLE_ATTEMPT, **set_limits) if set_limits else _SINGLE_ATTEMPT
    policy_block = _override.enter(BlockPolicy(single_attempt, sets_mode=True))
    call_block = _enclosing_call.enter(call)
    try:
        yield
    finally:
        _enclosing_call.leave(call_block)
        _override.leave(policy_block)


LATE_SETTINGS.connect(CONFIG)
