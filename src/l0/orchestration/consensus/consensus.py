"""The `Consensus` class: run several tasks and agree on one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, ClassVar, get_args

from l0.migration import ConsensusAliases, also_named
from l0.model.option_names import refuses_unknown_options
from l0.model.policy import PolicyError

from .. import task_group
from ..checks import check_function
from ..fan_out_span import fan_out_span
from ..results import Branch, BranchStatus
from ..tasks import Task, check
from .comparable import Parse
from .comparison_cache import Comparison, UserSimilarity
from .consensus_run import ConsensusRun
from .outcome import ConsensusResult
from .settings import (
    BEST,
    LENIENT,
    STANDARD,
    STRICT,
    ConsensusPreset,
    Resolution,
    Score,
    Strategy,
    check_choice,
    check_weights,
)

_IMPLIED: dict[Strategy, dict[str, Any]] = {
    "unanimous": {"minimum_agreement": 1.0, "resolve": "fail"},
    "best": {"resolve": "best"},
}
"""Defaults of a strategy for the settings that the user leaves out."""


@refuses_unknown_options
class Consensus(ConsensusAliases):
    """Runs several tasks and returns the answer on which they agree.

    Tasks run concurrently; streams are read to their end. As soon as no missing answer can change the outcome, the
    remaining tasks are cancelled. A consensus takes as long as the slowest answer that it needs. Mappings and
    pydantic models are decided field by field.
    """

    STRICT: ClassVar[ConsensusPreset] = STRICT
    STANDARD: ClassVar[ConsensusPreset] = STANDARD
    LENIENT: ClassVar[ConsensusPreset] = LENIENT
    BEST: ClassVar[ConsensusPreset] = BEST

    @staticmethod
    @also_named(resolve_conflicts="resolve")
    @refuses_unknown_options
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
        """Return the consensus of two or more tasks.

        Arguments that are not given are taken from ``preset`` (see `ConsensusPreset`). ``strategy="unanimous"`` alone
        implies ``minimum_agreement=1.0`` and ``resolve="fail"``.

        ``weights``: one per task, for ``"weighted"`` and ``"best"``. ``similarity``: function of two texts that returns
        0 to 1, sync or async; it replaces rapidfuzz, for example to compare meaning. ``score``: function of an answer
        that returns a number, sync or async, for ``"best"``; by default the answer that is most similar to the others
        wins. ``parse``: function that converts the text of an answer, such as ``json.loads``; an answer that it rejects
        counts as failed.

        Raises `ConsensusError` if the tasks disagree and ``resolve`` finds no answer, `PolicyError` for an invalid
        argument, and `ImportError` if texts must be compared by similarity and the extra ``text`` is missing.
        """
        settings = _settings(
            preset,
            strategy,
            {"threshold": threshold, "minimum_agreement": minimum_agreement, "resolve": resolve},
        )
        _check_work(work)
        _check_functions(similarity=similarity, score=score, parse=parse)
        consensus_run = ConsensusRun(
            preset=settings,
            weights=check_weights(settings.strategy, weights, len(work)),
            comparison=Comparison(settings.threshold, similarity),
            score=score,
            parse=parse,
        )
        began = perf_counter()
        with fan_out_span("consensus") as fan_span:
            for cancelled in await task_group.run(work, consensus_run.add, fan_span, concurrency=len(work)):
                consensus_run.ended.setdefault(cancelled.index, cancelled)
            all_branches = tuple(
                consensus_run.ended.get(index) or Branch(index=index, status=BranchStatus.CANCELLED)
                for index in range(len(work))
            )
            value, status, decision = await consensus_run.result(all_branches)
        return ConsensusResult(
            value=value,
            status=status,
            agreement=decision.agreement,
            supporters=tuple(sorted(decision.supporters)),
            branches=all_branches,
            duration_ms=(perf_counter() - began) * 1e3,
            fields=decision.fields,
        )

    @classmethod
    async def strict(cls, work: Sequence[Task], *, parse: Parse | None = None) -> ConsensusResult:
        """Require the same answer from all tasks. The first different answer ends the run with `ConsensusError`."""
        return await cls.run(work, preset=STRICT, parse=parse)

    @classmethod
    async def standard(
        cls, work: Sequence[Task], *, similarity: UserSimilarity | None = None, parse: Parse | None = None
    ) -> ConsensusResult:
        """Require a similar answer from a majority (60 %); otherwise the most supported answer wins."""
        return await cls.run(work, preset=STANDARD, similarity=similarity, parse=parse)

    @classmethod
    async def lenient(
        cls, work: Sequence[Task], *, similarity: UserSimilarity | None = None, parse: Parse | None = None
    ) -> ConsensusResult:
        """Require similar answers from half of the tasks; otherwise merge all answers."""
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
        """Return the answer with the highest score."""
        return await cls.run(work, preset=BEST, score=score, similarity=similarity, parse=parse)


def _check_work(work: Sequence[Task]) -> None:
    if len(work) < 2:
        raise PolicyError("Consensus.run", f"{len(work)} tasks", "2 or more")
    for task in work:
        check("Consensus.run", task)


def _check_functions(**functions: object) -> None:
    for name, value in functions.items():
        check_function(f"Consensus.{name}", value, "two texts" if name == "similarity" else "an answer")


def _settings(preset: ConsensusPreset, strategy: Strategy | None, arguments: dict[str, Any]) -> ConsensusPreset:
    changes = {name: value for name, value in arguments.items() if value is not None}
    if not isinstance(preset, ConsensusPreset):
        raise PolicyError("Consensus.preset", preset, "a ConsensusPreset")
    if strategy is not None:
        check_choice("Consensus.strategy", strategy, get_args(Strategy))
        changes = {"strategy": strategy, **_IMPLIED.get(strategy, {}), **changes}
    return replace(preset, **changes)
