"""Compiled parameters: plain data equals the SDK's result; other data is left to the SDK."""

from collections.abc import Iterable
from datetime import datetime
from types import SimpleNamespace
from typing import Annotated, TypedDict

import pytest
from pydantic import BaseModel

from l0.fastpath.comparison import identity_map
from l0.fastpath.parameters import UNKNOWN, Parameters

transforms = pytest.importorskip("openai._utils._transform")
types = pytest.importorskip("openai._types")
OMITTED = types.NotGiven()


class Text(TypedDict, total=False):
    text: str
    inner: "Text"


class Image(TypedDict, total=False):
    url: str
    sizes: list[int]
    several: Iterable["Text"]


class Turn(TypedDict, total=False):
    role: str
    content: str | Iterable[Text | Image] | None
    named: dict[str, Text]
    free: object


class Renamed(TypedDict, total=False):
    from_: Annotated[str, transforms.PropertyInfo(alias="from")]


class Dated(TypedDict, total=False):
    at: Annotated[str | datetime, transforms.PropertyInfo(format="iso8601")]


class Asked(TypedDict, total=False):
    turns: Iterable[Turn]
    renamed: Renamed


class Model(BaseModel):
    role: str = "assistant"
    content: str = "hi"


@pytest.fixture
def parameters():
    made = Parameters(transforms, types)
    if made.unsupported:
        pytest.skip("this SDK's transformation is older than the supported one")
    return made


PLAIN = {
    "text": {"turns": [{"role": "user", "content": "hi"}]},
    "parts": {"turns": [{"content": [{"text": "a"}, {"url": "b", "sizes": [1, 2]}]}]},
    "recursive": {"turns": [{"content": [{"inner": {"inner": {"text": "a"}}}]}]},
    "a field of one member in another": {"turns": [{"content": [{"text": "a", "several": [{"text": "b"}]}]}]},
    "not given": {"turns": [{"role": "user", "content": OMITTED}], "renamed": types.Omit()},
    "unknown key": {"turns": [{"surprise": {"deep": [OMITTED]}}]},
    "dict in place of a list": {"turns": {"role": "user"}},
    "list in place of a dict": {"turns": [[{"role": "user"}]]},
    "named": {"turns": [{"named": {"a": {"text": "b"}, "c": {"x": OMITTED}}}]},
    "model": {"turns": [Model(), {"role": "user", "content": Model(content="x")}][:1]},
    "model where anything is": {"turns": [{"free": Model()}]},
    "nothing": {},
    "null": {"turns": None},
}


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN)
def test_parameters_of_plain_data_equal_the_sdk(parameters, data):
    theirs = transforms.transform(data, Asked)
    for _ in range(2):  # first compiled and compared, then compiled only
        ours = parameters.transformed(data, Asked)
        assert ours == theirs
        assert repr(ours) == repr(theirs)
        assert identity_map(ours, data) == identity_map(theirs, data)
    assert parameters.switched_off == {}


FOREIGN = {
    "generator": ({"turns": (turn for turn in [{"role": "user"}])}, Asked),
    "tuple": ({"turns": ({"role": "user"},)}, Asked),
    "a renamed key": ({"renamed": {"from_": "a"}}, Asked),
    "a date": ({"at": datetime(2026, 1, 2)}, Dated),  # noqa: DTZ001
    "a string that is more": ({"turns": [{"role": type("S", (str,), {})("user")}]}, Asked),
    "a model where whatever can be iterated fits": ({"turns": [{"content": Model()}]}, Asked),
    "a list of nothing in particular": ({"a": [1]}, TypedDict("Bare", {"a": list})),
}


@pytest.mark.parametrize(("data", "type_"), FOREIGN.values(), ids=FOREIGN)
def test_parameters_of_other_data_are_left_to_the_sdk(parameters, data, type_):
    assert parameters.transformed(data, type_) is UNKNOWN
    turns = data.get("turns")
    assert not hasattr(turns, "send") or list(turns) == [{"role": "user"}]  # a generator is read once only


def test_parameters_type_with_a_different_result_is_switched_off(monkeypatch, caplog):
    made = Parameters(transforms, types)
    if made.unsupported:
        pytest.skip("this SDK's transformation is older than the supported one")
    made._original = lambda data, _: {**data, "more": 1}
    assert made.transformed({"turns": []}, Asked) is UNKNOWN
    assert made.transformed({"turns": []}, Asked) is UNKNOWN
    (reason,) = made.switched_off.values()
    assert "other keys" in reason
    assert len(caplog.records) == 1


def test_unknown_transformation_is_unsupported():
    names = {name: value for name, value in vars(transforms).items() if name != "transform"}
    made = Parameters(SimpleNamespace(**names, transform=lambda data, _: data), types)
    assert "not known" in made.unsupported
    assert made.transformed({"turns": []}, Asked) is UNKNOWN


@pytest.mark.parametrize("name", ["transform", "pydantic", "strip_annotated_type", "_no_transform_needed"])
def test_transformation_module_without_a_name_is_unsupported(name):
    names = {each: value for each, value in vars(transforms).items() if each != name}
    assert "not known" in Parameters(SimpleNamespace(**names), types).unsupported


@pytest.mark.parametrize("lacking", [None, SimpleNamespace(NotGiven=types.NotGiven)])
def test_missing_types_module_is_unsupported(lacking):
    assert "not known" in Parameters(transforms, lacking).unsupported


def test_parameters_cache_is_bounded(parameters, monkeypatch):
    monkeypatch.setattr("l0.fastpath.parameters.MAX_TYPES", 20)
    results = [parameters.transformed({"a": 1}, TypedDict(f"T{n}", {"a": int})) for n in range(40)]
    assert results[0] == {"a": 1}
    assert results[-1] is UNKNOWN
