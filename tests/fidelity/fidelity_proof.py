"""One case: the same data through the SDK's builder and through the compiled one, twice."""

import copy
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fidelity_cases import Generator, Mutator
from fidelity_check import behaviour, containers, structure
from fidelity_roots import Root

from l0.fastpath.constructors import Constructors

# Compiled shapes per class are capped. Starting anew keeps random shapes compiling instead of falling back.
RENEWAL = 24


@dataclass(slots=True)
class Tally:
    """The observations of one proof."""

    cases: int = 0
    objects_left_to_sdk: int = 0
    values_left_to_sdk: int = 0
    mismatches: list[str] = field(default_factory=list)

    def line(self, name: str) -> str:
        """One line for a person."""
        return (
            f"{name}: {self.cases} cases, {self.objects_left_to_sdk} objects and {self.values_left_to_sdk} parts "
            f"by the SDK, {len(self.mismatches)} mismatches"
        )


def generated(root: Root, count: int, seed: int) -> Iterable[Any]:
    """Valid data and damaged copies of it, alternating: `count` in all."""
    rnd = random.Random(f"{seed}:{root.name}")
    generator, mutator = Generator(root.models.BaseModel, rnd), Mutator(rnd)
    for _ in range((count + 1) // 2):
        valid = generator.value(root.type_)
        yield valid
        yield mutator.mutated(valid)


def prove(root: Root, cases: Iterable[Any], *, behave_every: int = 1, renew_every: int | None = RENEWAL) -> Tally:
    """Compare every case.

    `behave_every` thins out the slow part, what a user does with the object; `renew_every` is the number of cases that
    share their compiled constructors, all of them with None.
    """
    tally = Tally()
    constructors = Constructors(root.models)
    for data in cases:
        if renew_every and tally.cases % renew_every == 0:
            _close(tally, constructors)
            constructors = Constructors(root.models)
        found = _compare(root, constructors, data, behave=tally.cases % behave_every == 0)
        tally.cases += 1
        if found:
            tally.mismatches.append(f"{found} <- {data!r}"[:2000])
    _close(tally, constructors)
    return tally


def _close(tally: Tally, constructors: Constructors) -> None:
    report = constructors.report()
    tally.objects_left_to_sdk += report.objects_left_to_sdk
    tally.values_left_to_sdk += report.values_left_to_sdk
    # A failed self-test answers with the SDK's object, which hides the mismatch from a comparison.
    tally.mismatches += [f"{name} was switched off: {reason}" for name, reason in report.switched_off.items()]


def _compare(root: Root, constructors: Constructors, data: Any, *, behave: bool) -> str | None:
    builder = constructors.builder(root.type_)
    if builder is None:
        return f"{root.name} is not supported: {dict(constructors.report().unsupported)}"
    before = copy.deepcopy(data)
    theirs, first, second = (_built(build, data) for build in (_sdk(root), builder, builder))
    shared = containers(data)
    return (
        structure(theirs, first, shared, "first")
        or structure(theirs, second, shared, "again")
        or structure(before, data, path="the input")
        or (behaviour(theirs, second) if behave else None)
    )


def _sdk(root: Root) -> Any:
    return lambda data: root.models.construct_type(type_=root.type_, value=data)


def _built(build: Any, data: Any) -> Any:
    try:
        return build(data)
    except Exception as error:
        return type(error), str(error)
