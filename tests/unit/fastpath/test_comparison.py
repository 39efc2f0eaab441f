"""Comparison for the self-test: it finds every kind of difference."""

from typing import Any

import pytest

from l0.fastpath.comparison import difference, identity_map

pydantic = pytest.importorskip("pydantic", minversion="2")


class Inner(pydantic.BaseModel):
    value: Any = None


class Outer(pydantic.BaseModel, extra="allow"):
    inner: Inner
    items: list[Any] = []  # noqa: RUF012  pydantic copies it


def outer(**changes: Any) -> Outer:
    return Outer(**{"inner": Inner(value=1), "items": [1, {"a": 2}], "extra": {"b": [3]}, **changes})


def test_equal_objects_have_no_difference() -> None:
    assert difference(outer(), outer()) is None
    assert difference([float("nan")], [float("nan")]) is None


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        (outer(inner=Inner(value=2)), ".inner.value has another value (type int)"),
        (outer(inner=Inner(value=1.0)), ".inner.value is int, not float"),
        (outer(inner=Inner(value=True)), ".inner.value is int, not bool"),
        (outer(items=[1]), ".items has 2 items, not 1"),
        (outer(items=[1, {"a": 3}]), ".items[1].a has another value (type int)"),
        (outer(items=[1, {"b": 2}]), ".items[1] has other keys"),
        (outer(extra={"b": [4]}), "+.extra.b[0] has another value (type int)"),
        (outer(more=1), "__pydantic_fields_set__"),
        (Outer.model_construct({"inner"}, inner=Inner(value=1)), "__pydantic_fields_set__"),
        (Inner(), "the object is Outer, not Inner"),
    ],
)
def test_difference_is_described(other: Any, shown: str) -> None:
    found = difference(outer(), other)
    assert found is not None
    assert shown in found


def test_difference_quotes_no_value() -> None:
    secret, other = outer(inner=Inner(value="sk-1"), sk_key={"sk-2": 1}), outer(inner=Inner(value="sk-3"))
    assert "sk" not in (difference(secret, other) or "sk")
    assert "sk" not in (difference({"sk-1": "a"}, {"sk-2": "a"}) or "sk")


def test_difference_in_the_order_of_fields() -> None:
    turned = outer()
    turned.__dict__.update({"inner": turned.__dict__.pop("inner")})
    assert outer() == turned
    assert "other keys" in (difference(outer(), turned) or "")


def test_shared_parts_of_a_result() -> None:
    data: dict[str, Any] = {"kept": {"a": 1}, "copied": [{"b": 1}, {"c": 1}], "other": outer()}
    result = {"kept": data["kept"], "copied": [{"b": 1}, data["copied"][1]], "other": {}, "new": []}
    assert identity_map(result, data) == {"kept": True, "copied": [{"b": True}, True], "other": False, "new": False}
