"""State of one consensus run: record and compare the answers, and decide after each of them if the run can stop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..results import Branch, BranchStatus
from . import resolution
from .comparable import Parse, comparable, rebuilt
from .comparison_cache import Comparison
from .outcome import ConsensusError, Reached
from .settings import ConsensusPreset, Score
from .voting import Ballot, Decision, Vote, decide

Verdict = tuple[Any, Reached, Decision]


@dataclass(slots=True, kw_only=True, eq=False)
class ConsensusRun:
    """A consensus run. ``weights``: one per task. ``score``, ``parse``: functions of the user."""

    preset: ConsensusPreset
    weights: tuple[float, ...]
    comparison: Comparison
    score: Score | None
    parse: Parse | None
    ended: dict[int, Branch[Any]] = field(default_factory=dict)
    votes: list[Vote] = field(default_factory=list)
    decision: Decision | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def add(self, branch: Branch[Any]) -> bool:
        """Record one task that has ended. Return True if the outcome is certain."""
        # User functions may suspend. The lock makes sure that each answer is compared with all answers before it.
        async with self._lock:
            if branch.status is BranchStatus.OK:
                branch = await self._add_vote(branch)
            self.ended[branch.index] = branch
            return self._certain()

    async def _add_vote(self, branch: Branch[Any]) -> Branch[Any]:
        try:
            value, compared = await comparable(branch.value, self.parse)
            await self.comparison.prepare(compared, [vote.value for vote in self.votes])
        except Exception as error:
            return replace(branch, status=BranchStatus.FAILED, value=None, error=error)
        self.votes.append(Vote(voter=branch.index, value=compared, weight=self.weights[branch.index]))
        self.votes.sort(key=lambda vote: vote.voter)  # ties are decided by position, not by speed
        return replace(branch, value=value)

    def _certain(self) -> bool:
        total = sum(self.weights)
        missing = total - sum(self.weights[index] for index in self.ended)
        needed = self.preset.minimum_agreement * total
        min_answers = 1 if self.preset.strategy == "weighted" else 2
        if not self.votes:
            return self.preset.resolve == "fail" and missing < needed
        self.decision = decide(
            self.votes,
            Ballot(alike=self.comparison.alike, total=total, missing=missing, needed=needed, min_answers=min_answers),
        )
        if self.preset.strategy == "best":
            return False
        if self.decision.hopeless:
            voted = self.preset.resolve == "vote" and self.decision.settled and _supported(self.decision)
            return voted or self.preset.resolve == "fail"
        return self.decision.agreed and self.decision.settled

    async def result(self, branches: Sequence[Branch[Any]]) -> Verdict:
        """Return value, status and decision. Raises `ConsensusError` without agreement or resolution."""
        decision = self.decision
        if decision is None:
            raise self._failed(branches, "no task gave an answer")
        if self.preset.strategy == "best":
            return await self._best(decision)
        if decision.agreed:
            return self._original(decision), "agreed", decision
        match self.preset.resolve:
            case "vote" if not decision.tied and _supported(decision):
                return self._original(decision), "voted", decision
            case "merge":
                return self._merged(branches), "merged", decision
            case "best":
                return await self._best(decision)
        raise self._failed(branches, _reason(decision, self.preset))

    def _merged(self, branches: Sequence[Branch[Any]]) -> Any:
        originals = [self.ended[vote.voter].value for vote in self.votes]
        try:
            return rebuilt(resolution.merged(self.votes, self.comparison.alike), originals)
        except resolution.UnmergeableError as error:
            raise self._failed(branches, f"these values cannot be merged: {error}") from None

    async def _best(self, decision: Decision) -> Verdict:
        scores = resolution.similarity_scores(self.votes, self.comparison.similarity)
        if self.score is not None:
            scores = []
            for vote in self.votes:
                scored = self.score(self.ended[vote.voter].value)
                scores.append(await scored if inspect.isawaitable(scored) else scored)
        winner = resolution.best(self.votes, scores)
        return self.ended[winner.voter].value, "best", self._decision_on(winner, decision)

    def _decision_on(self, winner: Vote, decision: Decision) -> Decision:
        """Return the decision with the agreement and supporters of ``winner`` instead of the most supported answer."""
        alike = [vote for vote in self.votes if self.comparison.alike(winner.value, vote.value)]
        share = sum(vote.weight for vote in alike) / sum(self.weights)
        return replace(decision, agreement=share, supporters=frozenset(vote.voter for vote in alike))

    def _original(self, decision: Decision) -> Any:
        """Return the answer as its task gave it, or rebuild it if it was combined from several answers."""
        for vote in self.votes:
            if vote.value is decision.value:
                return self.ended[vote.voter].value
        return rebuilt(decision.value, [self.ended[vote.voter].value for vote in self.votes])

    def _failed(self, branches: Sequence[Branch[Any]], why: str) -> ConsensusError:
        agreement = self.decision.agreement if self.decision is not None else 0.0
        return ConsensusError(f"no consensus of {len(branches)} tasks: {why}", agreement=agreement, branches=branches)


def _supported(decision: Decision) -> bool:
    """Return True if two or more tasks support the decision, in every field."""
    parts = decision.fields.values() or (decision,)
    return all(len(part.supporters) >= 2 for part in parts)


def _reason(decision: Decision, preset: ConsensusPreset) -> str:
    different = [str(name) for name, part in decision.fields.items() if not part.agreed]
    reason = f"{decision.agreement:.0%} agree, {preset.minimum_agreement:.0%} required"
    if decision.tied:
        reason += ", and the vote is tied"
    return reason + (f"; different fields: {', '.join(different)}" if different else "")
