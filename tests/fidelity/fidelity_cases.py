"""Data to build objects from: valid by a type's own annotations, then damaged. Seeded, and JSON all through."""

import copy
import datetime
import random
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

STRINGS = ["", "a", " hello", "café 你好 \U0001f600", 'q"\\\n', "stop", "x" * 70, "123", "true", "2024-01-01T00:00:00Z"]
INTEGERS = [0, 1, 5, 1741569952, -3, 2**40, 2**70]
FLOATS = [0.5, 1.0, -1.25, 1e-9, 3, 0, float("inf"), 2**53 + 1]
OPAQUE = [1, "x", {"a": [1], "b": {}}, None, [1.5, [2]], True]
JUNK = [
    None, "", "weird", 0, 1, 7, -1, 1.0, 1.5, True, False, [], {}, [None], [[]], {"type": "x"}, "1", "0", [1, "a"],
    {"a": None}, 2**70, 2**2000, float("nan"), "eos", "on_demand", "\ud800", "2024-01-01", [{}], {"type": None},
]  # fmt: skip
KEYS = [
    "reasoning_content", "x_groq", "content_filter_results", "native_finish_reason", "a b", "", "self", "cls",
    "model_config", "_fields_set", "_BaseModel__cls", "model_extra", "model_fields", "copy", "json", "type", "event",
    "__dict__", "_x", "values", "from_", "id", "\ud800", "__pydantic_extra__", "hate_threatening", "made", "data", "v0",
]  # fmt: skip


class Generator:
    """Values for annotations. `base` is the SDK's model class."""

    def __init__(self, base: type, rnd: random.Random) -> None:
        self._base = base
        self._rnd = rnd

    def value(self, annotation: Any, depth: int = 0) -> Any:
        """A JSON value that is valid for this annotation, mostly."""
        annotation = _bare(annotation)
        origin, arguments = get_origin(annotation), get_args(annotation)
        if isinstance(annotation, type) and origin is None and issubclass(annotation, self._base):
            return self._model(annotation, depth)
        if origin is Literal:
            return self._rnd.choice(arguments)
        if origin in (Union, types.UnionType):
            absent = depth > 3 and type(None) in arguments and self._rnd.random() < 0.6
            return None if absent else self.value(self._rnd.choice(arguments), depth)
        if origin in (list, dict):
            return self._container(origin, arguments[-1], depth)
        return self._scalar(annotation)

    def _container(self, origin: type, inner: Any, depth: int) -> Any:
        length = self._rnd.choice([0, 1, 1, 2]) if depth < 8 else 0
        items = [self.value(inner, depth + 1) for _ in range(length)]
        return items if origin is list else dict(zip(self._rnd.sample(["a", "b", "k c"], length), items, strict=True))

    def _model(self, model: Any, depth: int) -> dict[str, Any]:
        fields = list(model.model_fields.items())
        if self._rnd.random() < 0.5:
            self._rnd.shuffle(fields)
        absent = 0.45 if depth < 5 else 0.9
        return {
            field.alias or name: self.value(field.annotation, depth + 1)
            for name, field in fields
            if field.is_required() or self._rnd.random() > absent
        }

    def _scalar(self, annotation: object) -> Any:
        choices: dict[object, list[Any]] = {
            str: STRINGS,
            bool: [True, False],
            int: INTEGERS,
            float: FLOATS,
            type(None): [None],
            datetime.datetime: ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.123+02:00"],
            datetime.date: ["2024-01-01"],
        }
        return copy.deepcopy(self._rnd.choice(choices.get(annotation, OPAQUE)))


class Mutator:
    """Damages data in place-independent ways: missing, extra, null, of a wrong type, unknown, in another order."""

    def __init__(self, rnd: random.Random) -> None:
        self._rnd = rnd

    def mutated(self, data: Any) -> Any:
        """A damaged copy."""
        data = copy.deepcopy(data)
        for _ in range(self._rnd.choice([1, 1, 2, 3])):
            damage = self._rnd.choices([self._replace, self._delete, self._add, self._reorder], [35, 20, 30, 15])[0]
            damage(data)
        return data

    def _replace(self, data: Any) -> None:
        places = list(_places(data))
        if places:
            container, key = self._rnd.choice(places)
            container[key] = copy.deepcopy(self._rnd.choice(JUNK))

    def _delete(self, data: Any) -> None:
        places = list(_places(data))
        if places:
            container, key = self._rnd.choice(places)
            del container[key]

    def _add(self, data: Any) -> None:
        target = self._rnd.choice(list(_dicts(data)) or [{}])
        target[self._rnd.choice(KEYS)] = copy.deepcopy(self._rnd.choice(JUNK))

    def _reorder(self, data: Any) -> None:
        target = self._rnd.choice(list(_dicts(data)) or [{}])
        items = list(target.items())
        self._rnd.shuffle(items)
        target.clear()
        target.update(items)


def _bare(annotation: Any) -> Any:
    while True:
        if type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        else:
            return annotation


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    for key in keys:
        yield data, key
        yield from _places(data[key])


def _dicts(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict):
        yield data
    for container, key in _places(data):
        if isinstance(container[key], dict):
            yield container[key]
