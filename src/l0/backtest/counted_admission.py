"""Admission control that counts the extra requests that the retry budget allows, and records a refusal."""

from __future__ import annotations

from l0.model.call import Call
from l0.runtime.admission import AdmissionControl
from l0.shared_state.shared import SharedState


class CountedAdmission(AdmissionControl):
    """The admission control of one simulated call.

    ``budget_paid``: extra requests that the retry budget allowed. ``budget_refused``: it refused one.
    """

    __slots__ = ("_has_budget", "budget_paid", "budget_refused")

    def __init__(self, call: Call, shared_state: SharedState, prompt_bytes: int) -> None:
        super().__init__(call, shared_state, prompt_bytes)
        self._has_budget = call.policy.budget
        self.budget_paid = 0
        self.budget_refused = False

    def may_hedge(self) -> bool:
        """Return True if the retry budget allows one more request, and count it. `may_retry` asks this, too."""
        allowed = super().may_hedge()
        if self._has_budget:
            self.budget_paid += allowed
            self.budget_refused = self.budget_refused or not allowed
        return allowed
