"""Apply the shared health state to one call: retry budget, circuit breakers, hedges and adaptive deadlines.

Each of these is off unless the policy enables it. `AdmissionControl` tells the machine what is allowed, and records how
attempts end.
"""

from __future__ import annotations

from collections.abc import Callable

from l0.model.call import Call
from l0.model.failure import TIMEOUT_CAUSES, Category, Cause, Failure
from l0.model.policy import Hedge
from l0.shared_state.breaker import BreakerPermit, BreakerState
from l0.shared_state.budget import CAPACITY, COST, FLOOR, REFUND
from l0.shared_state.keyed import Target
from l0.shared_state.quantiles import Quantiles, prompt_size
from l0.shared_state.shared import SharedState
from l0.shared_state.slo_tracker import target_of

_PROVIDERS_FAULT = (Category.NETWORK, Category.TRANSIENT, Category.PROVIDER)
_SAYS_NOTHING = frozenset(
    {
        Cause.TOTAL_TIMEOUT,
        Cause.LOCAL,
        Cause.INTERNAL,
        Cause.DIVERGED,
        Cause.QUOTA,  # that of a key: other keys may still have some
        Cause.UNKNOWN,
    }
)
"""Causes that show neither that a provider works nor that it fails. A breaker does not count them."""


class AdmissionControl:
    """The shared health state, as one call uses it.

    ``characters``: the size of the prompt if its text is unknown. ``shadow``: for a policy in shadow mode, which has
    its own budgets and breakers.
    """

    __slots__ = (
        "_breakers",
        "_budgets",
        "_call",
        "_failed_below",
        "_first_content_recorded",
        "_leg",
        "_permit",
        "_shared_state",
        "_prompt_size",
        "breaker_state",
        "learns",
        "refusal",
    )

    def __init__(
        self, call: Call, shared_state: SharedState, characters: int | None = None, *, shadow: bool = False
    ) -> None:
        self._call = call
        self._shared_state = shared_state
        self._breakers = shared_state.shadow_breakers if shadow else shared_state.breakers
        self._budgets = shared_state.shadow_retry_budgets if shadow else shared_state.retry_budgets
        self._leg = 0
        self._permit: BreakerPermit | None = None
        self._failed_below: Callable[[], bool] | None = None
        """For an attempt that is a request of an engine below, which asks the breaker itself: a function that returns
        True if that engine has counted a failure."""
        self.learns = call.streaming and (call.policy.adaptive or bool(call.policy.hedge))
        """True if the first-content times of this call are recorded."""
        self._prompt_size = ""
        if self.learns:
            self._prompt_size = prompt_size(len(repr(call.body)) if characters is None else characters)
        self._first_content_recorded = False
        self.refusal = ""
        """The reason of the last refusal."""
        self.breaker_state: BreakerState | None = None
        """The state to which this call has just changed the breaker, until it is reported."""

    def may_open(self, leg: int) -> bool:
        """Return True if the breaker of the leg's provider and model admits an attempt."""
        self._leg = leg
        self._first_content_recorded, self._failed_below = False, None
        fleet = self._shared_state.fleet
        if fleet is not None:
            fleet.begin()  # so that it is connected when the first retry needs it
        if not self._call.policy.breaker:
            return True
        breaker = self._breakers[self.target]
        self._permit = breaker.admit()
        if self._permit is not None:
            self.breaker_state, self._permit.changed_to = self._permit.changed_to, None
        else:
            self.refusal = f"the circuit breaker of {self._name()} is {breaker.description}; breaker=False disables it"
        return self._permit is not None

    def describe(self, call: Call, failed_below: Callable[[], bool]) -> None:
        """Take a description of the call with the servers that it requests, because an engine below sends a request of
        the current attempt. That engine asks the breaker of the provider and model. ``failed_below``: returns True if
        it has counted a failure."""
        self._call, self._failed_below = call, failed_below
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.release()
            self.breaker_state = permit.changed_to

    def may_retry(self, *, by_server: bool) -> bool:
        """Return True if the retry budget allows one more attempt. Retries after a wait that the server asked for are
        exempt."""
        return by_server or self.may_hedge()

    def may_hedge(self) -> bool:
        """Return True if the retry budget allows a hedge, a second request beside the first."""
        if not self._call.policy.budget or self._budgets[self.target].spend():
            return True
        self.refusal = (
            f"the retry budget of {self._name()} is used up. It allows one more request per {round(COST / REFUND)} "
            f"successful calls, and {round((CAPACITY - FLOOR) / COST)} at once; budget=False disables it"
        )
        return False

    def _name(self) -> str:
        return " ".join(self.target)

    def hedge_after(self) -> float | None:
        """Return the seconds after a request at which to send a hedge; ``None`` for never."""
        hedge = self._call.policy.hedge
        if (
            not isinstance(hedge, Hedge)
            or not self._call.streaming
            or not self._call.effective_retry_safety.in_parallel
        ):
            return None
        return hedge.after / 1000 if hedge.after is not None else self._first_content_times().p95

    def deadline(self, limit: float | None) -> float | None:
        """Return the seconds that an attempt may take to its first content: the usual time, at most ``limit``.

        The last leg keeps ``limit``, because no other source could serve the call.
        """
        if not self._call.policy.adaptive or self._leg >= len(self._call.policy.legs):
            return limit
        usual = self._first_content_times().deadline(limit)
        return limit if usual is None else usual

    def first_content(self, seconds: float) -> None:
        """Record the seconds to the first content of an attempt, or to the end of its wait. Only the first value per
        attempt counts."""
        if self.learns and not self._first_content_recorded:
            self._first_content_recorded = True
            self._first_content_times().add(seconds)

    def overtaken(self, seconds: float) -> None:
        """Record the seconds for which an attempt had brought no content when the other one of a race won."""
        self._first_content_times().add(seconds)

    def ended(self, failure: Failure | None, *, abandoned: bool = False) -> None:
        """Record the end of an attempt in the breaker and the budget.

        ``abandoned``: the user stopped, so the attempt is not counted for or against the provider.
        """
        permit, self._permit = self._permit, None
        if self._ends_request_below(failure):
            permit = self._breakers[self.target].admit()
        if permit is not None:
            if abandoned or (failure is not None and failure.cause in _SAYS_NOTHING):
                permit.release()
            elif failure is not None and _shows_a_fault(failure):
                permit.fail()
            else:
                permit.succeed()
            self.breaker_state = permit.changed_to
        if self._call.policy.budget and failure is None and not abandoned:
            self._budgets[self.target].succeed()

    def _ends_request_below(self, failure: Failure | None) -> bool:
        """Return True if ``failure`` is a time limit of this call, for which the engine below counts no failure: its
        request is cancelled."""
        late = failure is not None and failure.cause in TIMEOUT_CAUSES
        below = self._failed_below
        return self._call.policy.breaker and late and below is not None and not below()

    def _first_content_times(self) -> Quantiles:
        return self._shared_state.first_token_latencies[(*self.target, self._prompt_size)]

    @property
    def target(self) -> Target:
        """Return the provider and the model of the leg in use."""
        return target_of(self._call, self._leg)


def _shows_a_fault(failure: Failure) -> bool:
    """Return True if the provider failed, or the connection to it."""
    return failure.category in _PROVIDERS_FAULT or failure.cause is Cause.TLS_CERTIFICATE
