"""Run the rules of one call on its text, and turn their violations into failures of the attempt.

The rules read the text every few tokens, before the user gets it. They start anew with each attempt. If an attempt
resumes an answer, they read its earlier part first, so that a rule sees all that the user gets.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from time import perf_counter

from l0.model.call import Call
from l0.model.call_events import ResponseMetadata, RuleMatched, RuleTimes, ToolCalls
from l0.model.errors import raised
from l0.model.failure import Category, Cause, Failure
from l0.model.policy import GuardrailsPreset, Hold, Policy
from l0.model.ports import Reader
from l0.model.rule import Ending, Rule, Severity, Violation
from l0.rules.finding_filter import FindingFilter
from l0.rules.guardrails.inspection import Inspection, widest_span

from .observer_notifier import read_metadata
from .requested_schema import NOTHING, TOOLS, RequestedSchemas, requested_schemas

_log = logging.getLogger("l0")
_WINDOW = 256
"""Characters that ``hold="verified"`` holds back if no rule names its own window."""
_ACTIONS = {Severity.WARNING: "recorded", Severity.ERROR: "failed", Severity.FATAL: "halted"}
_RANKS = tuple(_ACTIONS)

Rules = tuple[Rule, ...]


@lru_cache(maxsize=16)
def _preset(name: GuardrailsPreset) -> Rules:
    from l0.rules.guardrails.catalogue import Guardrails  # compiles patterns on import, so only imported if needed

    return tuple(Guardrails.preset(name))


@lru_cache(maxsize=1)
def _drift() -> Rules:
    from l0.rules.drift.drift_rule import Drift

    return (Drift(),)


def guardrails_of(policy: Policy) -> Rules:
    """Return the guardrails of a policy: a preset by name, or the rules themselves."""
    guardrails = policy.guardrails
    return _preset(guardrails) if isinstance(guardrails, str) else guardrails  # type: ignore[return-value]  # the policy has made it a tuple


def drift_of(policy: Policy) -> Rules:
    """Return the drift rules of a policy."""
    if not isinstance(policy.drift, bool):
        return (policy.drift,)
    return _drift() if policy.drift else ()


def window_of(policy: Policy, rules: Sequence[Rule]) -> int:
    """Return the characters that ``hold="verified"`` holds back: the widest window of the rules, or the policy's
    own."""
    needed, own = widest_span(rules), policy.holding.window
    return own if own is not None else _WINDOW if needed is None else max(needed, 1)


def hold_of(policy: Policy, rule_runner: RuleRunner | None) -> tuple[Hold, int]:
    """Return the hold mode of a call, and its window in characters."""
    if rule_runner is None:
        hold = policy.holding
        return hold, hold.window or _WINDOW
    return (Hold(until="message") if rule_runner.needs_whole_answer else policy.holding), rule_runner.window


def ending_of_complete(text: str, calls: ToolCalls, metadata: ResponseMetadata | None) -> Ending:
    """Return the end of an answer that came in one piece. It has other content than text also if it must have some: it
    cost tokens, but has no text."""
    if metadata is None:
        return Ending(has_other_content=bool(calls))
    must_have_other = not text and bool(metadata.output_tokens)
    other = bool(calls) or metadata.has_other_content or must_have_other
    return _ending_of(metadata, has_other_content=other)


def _ending_of(metadata: ResponseMetadata | None, *, has_other_content: bool) -> Ending:
    """Return the end of an answer for the rules. ``has_other_content``: as in `Ending`."""
    return Ending(has_other_content=has_other_content, finish_reason="" if metadata is None else metadata.finish_reason)


def rule_runner_for(call: Call, notify: Callable[[RuleMatched], None], *, timed: bool) -> RuleRunner | None:
    """Return the rules of a call; ``None`` if it has none.

    ``notify``: a callback for matches. ``timed``: measure how long each rule takes.
    """
    policy = call.policy
    if call.dialect == "embeddings" or not (policy.guardrails or policy.drift or policy.structured):
        return None
    schemas, drift = requested_schemas(call), drift_of(policy)
    guardrails = guardrails_of(policy) + schemas.rules
    if not (guardrails or drift or schemas.tools):
        return None
    return RuleRunner(policy, guardrails, drift, notify, schemas, timed=timed)


class _RuleGroup:
    """The rules that share one interval, and how much of the text they have checked.

    ``every``: the interval. ``due``: the number at which they run next. ``seen``: the number that they have checked.
    These three count fragments of text; ``chars`` counts checked characters.
    """

    __slots__ = ("cause", "chars", "due", "every", "inspection", "rules", "seen")

    def __init__(self, cause: Cause, rules: Rules, every: int) -> None:
        self.cause = cause
        self.rules = rules
        self.every = every
        self.seen = self.chars = 0
        self.due = every
        self.inspection: Inspection | None = None


class RuleRunner:
    """The rules of one call.

    ``chars``: the length of the answer's text so far, and ``checked``: the length that all rules have checked. Of a
    stream, both are counted for ``hold="verified"`` only; of an answer that came in one piece, ``chars`` is counted.
    """

    __slots__ = (
        "_counted_fragments",
        "_counts_chars",
        "_findings",
        "_groups",
        "_notify",
        "_policy",
        "_reported",
        "_rules",
        "_timed",
        "_times",
        "chars",
        "checked",
        "cut",
        "due",
        "needs_whole_answer",
        "schemas",
        "window",
    )

    def __init__(
        self,
        policy: Policy,
        guardrails: Rules,
        drift: Rules,
        notify: Callable[[RuleMatched], None] | None,
        schemas: RequestedSchemas,
        *,
        timed: bool = True,
    ) -> None:
        self._policy = policy
        self._notify = notify
        self._timed = timed and notify is not None
        self._reported: set[tuple[str, int, str]] = set()
        self._rules = (*guardrails, *drift)
        self._findings: FindingFilter[tuple[Cause, float]] = FindingFilter(self._rules)
        self._times: dict[str, RuleTimes] = {}
        intervals = policy.check_intervals
        self.cut: int | None = None
        """The number of characters before the place that failed the attempt."""
        self._groups = [
            _RuleGroup(cause, rules, every)
            for cause, rules, every in (
                (Cause.GUARDRAIL_VIOLATION, guardrails, intervals.guardrails),
                (Cause.DRIFT, drift, intervals.drift),
            )
            if rules
        ]
        self.schemas = schemas
        self.needs_whole_answer = schemas is not NOTHING
        """True if the complete answer is checked against the request's own schema: nothing may be delivered before."""
        self._counts_chars = policy.holding.until == "verified"
        self.due = 0
        """The number of text fragments at which `evaluate` is due. To check it first saves most calls of `evaluate`."""
        self.window = window_of(policy, (*guardrails, *drift))
        self.restart()

    def restart(self) -> None:
        """Reset for a new attempt."""
        self.report_held()
        self._findings = FindingFilter(self._rules)
        self._times = self.times
        timer = perf_counter if self._timed else None
        for group in self._groups:
            if group.inspection is not None and group.inspection.overrun:
                overrun = group.inspection.overrun
                group.rules = tuple(rule for rule in group.rules if not any(rule is slow for slow in overrun))
            group.inspection = Inspection(group.rules, group.every, timer=timer)
            group.seen = group.chars = 0
            group.due = group.every
        self.chars = self.checked = self._counted_fragments = 0
        self.due = 0 if self._counts_chars else min((group.every for group in self._groups), default=sys.maxsize)
        self.cut = None

    def evaluate(self, reader: Reader, *, rest: bool = False) -> Failure | None:
        """Run the rules on new text if enough has arrived; on all of it with ``rest``. Return the failure, if any."""
        fragments = reader.text
        count = len(fragments)
        if self._counts_chars:
            self.chars += sum(map(len, fragments[self._counted_fragments :]))
            self._counted_fragments = count
        elif count < self.due and not rest:
            return None
        failure: Failure | None = None
        due = sys.maxsize
        for group in self._groups:
            if count >= group.due or (rest and count > group.seen):
                text = "".join(fragments[group.seen :])
                group.seen = count
                group.chars += len(text)
                assert group.inspection is not None
                found = group.inspection.feed(text)
                if found:
                    found_failure = self._report_all(group.cause, found)
                    failure = _worse(failure, found_failure)
                group.due = count + group.every
            if group.due < due:
                due = group.due
        self.due = 0 if self._counts_chars else due
        if failure is not None:
            self.report_held()
        if self._counts_chars:
            self.checked = min((group.chars for group in self._groups), default=self.chars)
        return failure

    def finish(self, reader: Reader) -> Failure | None:
        """Run the rules on the complete answer. Return the failure, if any."""
        calls = [(call.name, "".join(call.arguments)) for call in reader.tools.values()] if self.schemas.tools else ()
        other = reader.other or reader.content > len(reader.text)
        return self.evaluate(reader, rest=True) or self._finish(
            _ending_of(read_metadata(reader), has_other_content=other), calls
        )

    def complete_answer(self, text: str, calls: ToolCalls, ending: Ending) -> Failure | None:
        """Run the rules on an answer that came in one piece. ``calls``: names and arguments of its tool calls."""
        self.restart()
        self.chars = len(text)
        failure: Failure | None = None
        for group in self._groups:
            assert group.inspection is not None
            found_failure = self._report_all(
                group.cause, group.inspection.feed(text)
            )  # drift is reported even if another rule failed
            group.inspection.count_all_as_final()
            failure = _worse(failure, found_failure)
        # A rule that decides at the end may find something worse, since nothing saves reading this answer to its end.
        return _worse(failure, self._finish(ending, calls))

    @property
    def times(self) -> dict[str, RuleTimes]:
        """Return, by rule, the number of its runs and the seconds that they took."""
        times = dict(self._times)
        for group in self._groups:
            if group.inspection is not None:
                for rule, spent in group.inspection.durations.items():
                    times[rule] = spent.plus(times.get(rule))
        return times

    def _finish(self, ending: Ending, calls: Iterable[tuple[str, str]]) -> Failure | None:
        failure = self._report_all(Cause.GUARDRAIL_VIOLATION, self.schemas.violations_in(calls, ending))
        for group in self._groups:
            assert group.inspection is not None
            found_failure = self._report_all(group.cause, group.inspection.finish(ending))
            failure = _worse(failure, found_failure)
        self.report_held()
        return failure

    def report_held(self) -> None:
        """Report the warnings that were held back, in case a more severe finding of the same defect followed."""
        for (cause, at), violation in self._findings.release():
            self._report(cause, violation, at)

    def _report_all(self, cause: Cause, found: Sequence[Violation]) -> Failure | None:
        """Report the violations, and return the worst as a failure if it ends the attempt."""
        if not found:
            return None
        now = perf_counter()
        reported = self._findings.admit((cause, now), found)
        for violation in reported:
            self._report(cause, violation, now)
        # A finding that is not reported still fails the attempt. Of equally severe ones, a reported one is the failure.
        worst = max((*reported, *found), key=lambda violation: _RANKS.index(violation.severity))
        if worst.severity is Severity.WARNING:
            return None
        at = min(violation.at for violation in found if violation.severity is not Severity.WARNING)
        self.cut = at if self.cut is None else min(self.cut, at)
        category = Category.FATAL if worst.severity is Severity.FATAL else None
        message = f"{worst.rule}: {worst.plain}"
        detail = worst.message if worst.quotes else ""
        field = self._field_of(cause, worst.rule)
        return Failure(
            cause=cause, message=message, code=worst.rule, category=category, detail=detail, policy_field=field
        )

    def _field_of(self, cause: Cause, rule: str) -> str:
        """Return the field of the policy that asked for a rule."""
        if rule == TOOLS or any(rule == schema_rule.name for schema_rule in self.schemas.rules):
            return "Policy.structured"
        return "Policy.drift" if cause is Cause.DRIFT else "Policy.guardrails"

    def _report(self, cause: Cause, violation: Violation, at: float) -> None:
        key = (violation.rule, violation.at, violation.message)
        if key in self._reported and violation.severity is Severity.WARNING:
            return  # already reported for an earlier attempt with the same text
        self._reported.add(key)
        if self._notify is not None:
            drift = cause is Cause.DRIFT
            self._notify(RuleMatched(violation=violation, drift=drift, action=_ACTIONS[violation.severity], at=at))
        if self._policy.on_violation is not None:
            try:
                self._policy.on_violation(violation)
            except Exception:
                _log.warning("Policy.on_violation failed and is ignored: %s", raised())


def _worse(first: Failure | None, second: Failure | None) -> Failure | None:
    """Return the failure that decides: the fatal one, else the first."""
    overrules = second is not None and second.category is Category.FATAL
    return second if first is None or (overrules and first.category is not Category.FATAL) else first
