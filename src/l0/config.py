"""The one room for global state: default policy, its override for a block, observers, what origins have shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from warnings import warn

from l0.model.call import Call
from l0.model.policy import Policy, PolicyError, Retry
from l0.model.ports import CallObserver, Observer
from l0.runtime.rule_runner import check_rules
from l0.shared_state.scoped_values import Scoped
from l0.shared_state.shared import SharedState

_BUILT_IN = Policy()
_override: Scoped[Policy] = Scoped("l0_policy")
_serving: Scoped[Observer] = Scoped("l0_serving")
"""Who hears of requests that are attempts of a call further up."""
_overhearing: Scoped[tuple[Observer, ...]] = Scoped("l0_overhearing")
"""Who hears of the calls of a block, besides the observers of the process."""
OWN_POLICY = "_l0_policy"
"""Attribute of a client's class: the policy of its calls."""
_ONCE = Policy(retry=Retry(attempts=0, max_retries=0))


class Config:
    """Process-wide settings. Reading takes no lock: each field is replaced whole."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._default: Policy | None = None
        self._environment: Policy | None = None
        self._observers: tuple[Observer, ...] = ()
        self._own: Mapping[str, tuple[Observer, ...]] = {}
        self._added: tuple[Observer, ...] = ()
        self._direct: bool | None = None
        self._direct_in_environment = False
        self.shared_state = SharedState()

    def set_default(self, policy: Policy | None) -> None:
        """The policy of calls that have no other; ``None``: the built-in one."""
        if policy is not None and not isinstance(policy, Policy):
            raise PolicyError("policy", policy, "an l0.Policy, or None")
        if policy is not None:
            check_rules(policy)
        with self._lock:
            self._default = policy

    def set_environment(self, policy: Policy | None, *, direct: bool) -> None:
        """What the environment says, for applications that say nothing."""
        if policy is not None:
            check_rules(policy)
        with self._lock:
            self._environment = policy
            self._direct_in_environment = direct

    def set_direct(self, direct: bool | None) -> None:
        """Whether streams are read straight from their connections; ``None``: as the environment says."""
        with self._lock:
            self._direct = direct

    @property
    def direct(self) -> bool:
        """Whether streams that are opened now are read straight from their connections."""
        return self._direct_in_environment if self._direct is None else self._direct

    def set_observers(self, observers: Sequence[Observer], sdk: str | None = None) -> None:
        """The observers that every call has, or every call through one SDK: spans and metrics.

        Calls through no SDK have those that were set last.
        """
        with self._lock:
            self._observers = tuple(observers)
            self._own = {} if sdk is None else {**self._own, sdk: self._observers}

    def add_observers(self, observers: Sequence[Observer]) -> None:
        """The application's own observers, beside those."""
        with self._lock:
            self._added = tuple(observers)

    def policy(self, client: object = None) -> Policy:
        """What applies here and now: that of the block, of the ``client`` (`streams.wrapping`), or of all calls."""
        own: Policy | None = getattr(client, OWN_POLICY, None)
        return _override.get() or own or self._default or self._environment or _BUILT_IN

    @property
    def listening(self) -> bool:
        """Whether there are observers at all."""
        return bool(self._observers or self._added or _overhearing.get())

    def observers_of(self, call: Call, sdk: str | None = None) -> list[CallObserver]:
        """Those that want to hear of this call: the observers, or who serves the call that it is an attempt of."""
        serving = _serving.get()
        return self.all_observers_of(call, sdk) if serving is None else _watching((serving,), call)

    def all_observers_of(self, call: Call, sdk: str | None = None) -> list[CallObserver]:
        """Those of the observers that want to hear of this call through ``sdk``."""
        observers = self._own.get(sdk, self._observers) if sdk is not None else self._observers
        return _watching((*observers, *self._added, *(_overhearing.get() or ())), call)


def _watching(observers: Sequence[Observer], call: Call) -> list[CallObserver]:
    """One that fails is left out."""
    call_observers = []
    for observer in observers:
        try:
            observed = _observe(observer, call)
        except Exception:  # an observer never stands in the way of a call
            continue
        if observed is not None:
            call_observers.append(observed)
    return call_observers


def _observe(observer: Observer, call: Call) -> CallObserver | None:
    """Ask one observer. ``watch``, the former name of ``observe``, works for one release."""
    observe = getattr(observer, "observe", None)
    if observe is None:
        warn(f"{type(observer).__name__}.watch is now named observe", DeprecationWarning, stacklevel=2)
        observe = observer.watch  # type: ignore[attr-defined]
    observed: CallObserver | None = observe(call)
    return observed


CONFIG = Config()


@contextmanager
def policy(policy: Policy | None = None, /, **changes: Any) -> Iterator[Policy]:
    """Use another policy for the calls made in one block, in this thread or task.

    ``with l0.policy(Policy.interactive()): ...``, or single fields on top of what applies:
    ``with l0.policy(timeout=Timeout(total=30_000)): ...``. Raises `PolicyError` for a value that is not allowed.

    The block may end in another context, task or thread than it began in: leaving never raises, and switches the policy
    off wherever it was on. A generator shares the context of whoever iterates over it: between two of its ``yield``
    statements, a policy that it has entered applies to its caller as well, until the generator ends or is closed.
    """
    base = CONFIG.policy() if policy is None else policy
    if not isinstance(base, Policy):
        raise PolicyError("policy", base, "an l0.Policy")
    for field, value in changes.items():
        if field not in Policy.__dataclass_fields__:
            raise PolicyError(f"policy.{field}", value, "one of " + ", ".join(Policy.__dataclass_fields__))
    chosen = replace(base, **changes)
    check_rules(chosen)
    block = _override.enter(chosen)
    try:
        yield chosen
    finally:
        _override.leave(block)


@contextmanager
def overhearing(observer: Observer) -> Iterator[None]:
    """Have one more observer hear of the calls that are made in this block, in this thread or task."""
    block = _overhearing.enter((*(_overhearing.get() or ()), observer))
    try:
        yield
    finally:
        _overhearing.leave(block)


@contextmanager
def attempt(observer: Observer, **limits: Any) -> Iterator[None]:
    """Requests made in this block are an attempt of a call that an engine further up serves.

    They are sent once, and only ``observer`` hears of them. ``limits``: what they must obey themselves (``truncation``,
    ``timeout``), as in `Policy`.
    """
    asked = {name: limit for name, limit in limits.items() if limit is not None}
    policy_block = _override.enter(replace(_ONCE, **asked) if asked else _ONCE)
    serving_block = _serving.enter(observer)
    try:
        yield
    finally:
        _serving.leave(serving_block)
        _override.leave(policy_block)
