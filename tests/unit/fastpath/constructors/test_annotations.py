"""Inspection of annotations: aliases, unions, literals, and the discriminator of models."""

from typing import Annotated, Any, Literal, Optional, Union

import pytest
from typing_extensions import TypeAliasType

from l0.fastpath.constructors.annotations import Unsupported, discriminator, members, string_literals, unwrap

pydantic = pytest.importorskip("pydantic", minversion="2")


class Cat(pydantic.BaseModel):
    name: str
    kind: Literal["cat", "kitten"]


class Dog(pydantic.BaseModel):
    name: str
    kind: Literal["dog"]


def test_unwrap_removes_every_layer() -> None:
    alias = TypeAliasType("alias", Annotated[int, "inner"])
    assert unwrap(Annotated[alias, "outer"]) == (int, ("outer", "inner"))
    assert unwrap(int) == (int, ())


def test_members_of_nested_unions_are_flat() -> None:
    nested = Union[int, Annotated[Optional[str], "note"]]  # noqa: UP007, UP045  as the SDKs write it
    assert members(nested) == [(int, ()), (str, ("note",)), (type(None), ("note",))]
    assert members(int | None) == [(int, ()), (type(None), ())]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [(Literal["a", "b"], {"a", "b"}), (Literal["a", 1], None), (Literal[True], None), (str, None)],
)
def test_string_literals(annotation: object, expected: Any) -> None:
    assert string_literals(annotation) == expected


def test_discriminator_of_a_union() -> None:
    assert discriminator([Cat, Dog], pydantic.BaseModel) == ("kind", {"cat": Cat, "kitten": Cat, "dog": Dog})


class Puppy(pydantic.BaseModel):
    kind: Literal["dog", "puppy"]


class Shy(pydantic.BaseModel):
    kind: Literal["shy"] = "shy"


class Renamed(pydantic.BaseModel):
    kind: Literal["renamed"] = pydantic.Field(alias="sort")


class Free(pydantic.BaseModel):
    kind: str


@pytest.mark.parametrize("other", [Puppy, Shy, Renamed, Free, int, list[Dog]], ids=str)
def test_union_without_a_discriminator(other: object) -> None:
    with pytest.raises(Unsupported):
        discriminator([Dog, other], pydantic.BaseModel)
