"""Compiled constructors build what the SDKs build: generated, damaged and hand-made data.

A seeded subset runs always; `TEST_FIDELITY=full` runs at least 50,000 cases.
"""

import os
import random

import fidelity_oddities
import pytest
from fidelity_cases import Mutator
from fidelity_proof import generated, prove
from fidelity_roots import Root, roots

FULL = os.environ.get("TEST_FIDELITY") == "full"
ROOTS = roots()
GENERATED = 50_000 // max(len(ROOTS), 1) + 1 if FULL else 40
MUTATIONS = 8 if FULL else 1
SEED = int(os.environ.get("TEST_FIDELITY_SEED", "1"))

pytestmark = pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)


def test_generated_data(root: Root) -> None:
    tally = prove(root, generated(root, GENERATED, SEED), behave_every=1 if FULL else 4)
    print(tally.line(f"{root.name} generated"))
    assert tally.mismatches == []
    assert tally.cases >= GENERATED


def test_hand_made_data(root: Root) -> None:
    mutator = Mutator(random.Random(SEED))
    damaged = (mutator.mutated(data) for data in fidelity_oddities.ALL for _ in range(MUTATIONS))
    tally = prove(root, [*fidelity_oddities.ALL, *damaged], behave_every=1 if FULL else 8)
    print(tally.line(f"{root.name} hand-made"))
    assert tally.mismatches == []
