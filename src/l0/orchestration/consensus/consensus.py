"""`Consensus`: several tasks, one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, ClassVar

from l0.orchestration import branches
from l0.orchestration.results import Branch, Status
from l0.orchestration.tasks import Task, check
from l0.telemetry.branches import Fan
from l0.values.policy import PolicyError

from .answers import Parse
from .comparing import Comparison, UserSimilarity
from .outcome import ConsensusResult
from .settings import BEST, LENIENT, STANDARD, STRICT, ConsensusPreset, Resolution, Score, Strategy, check_weights
from .sitting import Sitting

_IMPLIED: dict[Strategy, dict[str, Any]] = {
    "unanimous": {"minimum_agreement": 1.0, "resolve": "fail"},
    "best": {"resolve": "best"},
}
"""What a strategy means for the settings that its user leaves out."""


class Consensus:
    """Ask several times, and take what is agreed upon.

    Tasks run side by side; streams are read to their end. As soon as no answer that is still to come could change the
    outcome, it is decided, and the rest is cancelled: it takes as long as the slowest answer that is needed.
    """

    STRICT: ClassVar[ConsensusPreset] = STRICT
    STANDARD: ClassVar[ConsensusPreset] = STANDARD
    LENIENT: ClassVar[ConsensusPreset] = LENIENT
    BEST: ClassVar[ConsensusPreset] = BEST

    @staticmethod
    async def run(
        work: Sequence[Task],
        *,
        preset: ConsensusPreset = STANDARD,
        strategy: Strategy | None = None,
        threshold: float | None = None,
        minimum_agreement: float | None = None,
        resolve: Resolution | None = None,
        weights: Sequence[float] | None = None,
        similarity: UserSimilarity | None = None,
        score: Score | None = None,
        parse: Parse | None = None,
    ) -> ConsensusResult:
        """The consensus of two tasks or more. What is not given is as in ``preset`` (see `ConsensusPreset`);
        ``strategy="unanimous"`` alone implies an agreement of all, or failure.

        ``weights``: one a task, for ``"weighted"`` and ``"best"``. ``similarity``: a function of two texts to 0 ... 1,
        async or not, in place of rapidfuzz: for likeness in meaning. ``score``: a function of an answer to a number,
        async or not, for the best; by default that to which the others are most alike. ``parse``: makes an object of
        an answer's text (``json.loads``, a model's ``model_validate_json``); what it rejects counts as failed.
        Mappings and pydantic models are decided field by field.

        Raises `ConsensusError` without agreement or resolution, `PolicyError` for what is not allowed, `ImportError`
        where texts are to be compared by likeness without the extra ``text``.
        """
        settings = _settings(
            preset,
            strategy,
            {"threshold": threshold, "minimum_agreement": minimum_agreement, "resolve": resolve},
        )
        if len(work) < 2:
            raise PolicyError("Consensus.run", f"{len(work)} tasks", "2 or more")
        for task in work:
            check("Consensus.run", task)
        sitting = Sitting(
            preset=settings,
            weights=check_weights(settings.strategy, weights, len(work)),
            comparison=Comparison(settings.threshold, similarity),
            score=score,
            parse=parse,
        )
        began = perf_counter()
        with Fan("consensus") as fan:
            for cancelled in await branches.run(work, sitting.told, fan, at_once=len(work)):
                sitting.ended.setdefault(cancelled.index, cancelled)
            everyone = tuple(
                sitting.ended.get(index) or Branch(index=index, status=Status.CANCELLED) for index in range(len(work))
            )
            value, status, decision = await sitting.verdict(everyone)
        return ConsensusResult(
            value=value,
            status=status,
            agreement=decision.agreement,
            supporters=tuple(sorted(decision.supporters)),
            branches=everyone,
            duration=(perf_counter() - began) * 1e3,
            fields=decision.fields,
        )

    @classmethod
    async def strict(cls, work: Sequence[Task], *, parse: Parse | None = None) -> ConsensusResult:
        """All must give the same answer; the first that differs ends it."""
        return await cls.run(work, preset=STRICT, parse=parse)

    @classmethod
    async def standard(
        cls, work: Sequence[Task], *, similarity: UserSimilarity | None = None, parse: Parse | None = None
    ) -> ConsensusResult:
        """Most must give an answer that is about the same; else it is put to the vote."""
        return await cls.run(work, preset=STANDARD, similarity=similarity, parse=parse)

    @classmethod
    async def lenient(
        cls, work: Sequence[Task], *, similarity: UserSimilarity | None = None, parse: Parse | None = None
    ) -> ConsensusResult:
        """Half of them must give answers that resemble each other; else all are merged."""
        return await cls.run(work, preset=LENIENT, similarity=similarity, parse=parse)

    @classmethod
    async def best(
        cls,
        work: Sequence[Task],
        *,
        score: Score | None = None,
        similarity: UserSimilarity | None = None,
        parse: Parse | None = None,
    ) -> ConsensusResult:
        """The one answer with the highest score."""
        return await cls.run(work, preset=BEST, score=score, similarity=similarity, parse=parse)


def _settings(preset: ConsensusPreset, strategy: Strategy | None, given: dict[str, Any]) -> ConsensusPreset:
    changes = {name: value for name, value in given.items() if value is not None}
    if not isinstance(preset, ConsensusPreset):
        raise PolicyError("Consensus.preset", preset, "a ConsensusPreset")
    if strategy is not None:
        changes = {"strategy": strategy, **_IMPLIED.get(strategy, {}), **changes}
    return replace(preset, **changes)
