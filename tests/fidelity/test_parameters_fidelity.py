"""Compiled parameters are what the SDKs make of them: data for every type of parameter that an SDK has, made up from
its annotations, and damaged.

A seeded subset runs always; `TEST_FIDELITY=full` runs at least 50,000 cases.
"""

import importlib
import os
import pkgutil
import random
import sys
from collections.abc import Iterable
from types import UnionType
from typing import Annotated, Literal, NotRequired, Required, Union, get_args, get_origin, is_typeddict

import pytest
import typing_extensions

from l0.fastpath.comparison import identity_map
from l0.fastpath.parameters import UNKNOWN, Parameters

FULL = os.environ.get("TEST_FIDELITY") == "full"
SEED = int(os.environ.get("TEST_FIDELITY_SEED", "1"))
SDKS = [name for name in ("openai", "anthropic") if importlib.util.find_spec(f"{name}._utils._transform")]
DEPTH = 5
_WRAPPERS = (Annotated, Required, NotRequired, typing_extensions.Required, typing_extensions.NotRequired)


class Maker:
    """Makes up values of an annotation; about one in ten of another kind, omitted, or with a key that nobody knows."""

    def __init__(self, seed, omitted):
        self.rnd = random.Random(seed)
        self.omitted = omitted

    def value(self, type_, depth=DEPTH):
        if self.rnd.random() < 0.06:
            return self.odd()
        origin = get_origin(type_)
        if origin in _WRAPPERS:
            return self.value(get_args(type_)[0], depth)
        if origin in (Union, UnionType):
            return self.value(self.rnd.choice(get_args(type_)), depth)
        if is_typeddict(type_) or typing_extensions.is_typeddict(type_):
            return self.fields(type_, depth)
        if origin is dict:
            return {key: self.value(get_args(type_)[1], depth - 1) for key in ("a", "b")} if depth else {}
        if isinstance(origin, type) and issubclass(origin, Iterable) and get_args(type_):
            return [self.value(get_args(type_)[0], depth - 1) for _ in range(self.rnd.randrange(3))] if depth else []
        return self.rnd.choice(get_args(type_)) if origin is Literal else self.scalar()

    def fields(self, type_, depth):
        hints = typing_extensions.get_type_hints(type_, include_extras=True)
        chosen = [name for name in hints if self.rnd.random() < (0.5 if depth else 0)]
        made = {name: self.value(hints[name], depth - 1) for name in chosen}
        if self.rnd.random() < 0.1:
            made["unknown"] = self.odd()
        return made

    def scalar(self):
        return self.rnd.choice(["text", "", 0, 1.5, True, None])

    def odd(self):
        return self.rnd.choice(
            [self.omitted(), {"x": [self.omitted()]}, [{"y": 1}], [], {}, None, "s", {"type": "text"}]
        )


def roots(sdk):
    """Every type that a module of parameters names as such."""
    found = {}
    package = importlib.import_module(f"{sdk}.types")
    for module in pkgutil.walk_packages(package.__path__, f"{sdk}.types."):
        if module.name.endswith(("_params", "_param")):
            for name, value in vars(importlib.import_module(module.name)).items():
                if name.endswith(("Params", "Param", "ParamsStreaming", "ParamsNonStreaming")):
                    found.setdefault(id(value), (f"{module.name}.{name}", value))
    return list(found.values())


@pytest.mark.parametrize("sdk", SDKS)
def test_parameters_are_transformed_as_by_the_sdk(sdk):
    module, types = sys.modules[f"{sdk}._utils._transform"], sys.modules[f"{sdk}._types"]
    parameters = Parameters(module, types)
    if parameters.unsupported:
        pytest.skip("this SDK's transformation is older than what is known: it is left alone")
    all_roots = roots(sdk)
    each = 55_000 // len(all_roots) if FULL else 8
    make = Maker(SEED, types.NotGiven)
    cases, left = 0, set()
    for name, type_ in all_roots:
        for _ in range(each):
            data = make.value(type_)
            ours = parameters.transformed(data, type_)
            if ours is UNKNOWN:
                left.add(name)
                continue
            theirs = module.transform(data, type_)
            assert (repr(ours), identity_map(ours, data)) == (repr(theirs), identity_map(theirs, data)), name
            cases += 1
    print(f"{sdk}: {cases:,} cases of {len(all_roots)} types; of {len(left)} of them, some were left to the SDK")
    assert parameters.switched_off == {}
    assert cases > 0.9 * each * len(all_roots)
