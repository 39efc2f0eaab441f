"""All shape tables of one SDK, the two ways to compile shapes, and the count of what the SDK builds."""

from collections.abc import Callable
from typing import Any

from .annotations import Unsupported
from .constructed_models import compile_constructed
from .sdk_builder import SdkBuilder
from .shape_table import Keys, ShapeTable
from .source_scope import ShapeConstructor, Unmatched
from .validated_values import compile_validated


class CountedSdkBuilds:
    """Builds objects, and parts of objects, with the SDK, and counts them. With threads, counts may be slightly low."""

    def __init__(self, sdk: SdkBuilder) -> None:
        self._sdk = sdk
        self.parts = 0
        self.objects = 0

    def field(self, field: Any, key: str) -> Callable[[object], Any]:
        """Return the function for one model field with this JSON key."""
        construct_field = self._sdk.construct_field

        def build(value: object) -> Any:
            self.parts += 1
            return construct_field(value=value, field=field, key=key)

        return build

    def value(self, annotation: object) -> Callable[[object], Any]:
        """Return the function for a value of any annotation inside a container."""
        construct_type = self._sdk.construct_type

        def build(value: object) -> Any:
            self.parts += 1
            return construct_type(type_=annotation, value=value)

        return build

    def complete_object(self, annotation: object, data: object) -> Any:
        """Build a complete object with the SDK. Raises the exceptions of the SDK."""
        self.objects += 1
        return self._sdk.construct_type(type_=annotation, value=data)


class ShapeTables:
    """The shape tables of one SDK, at most two per class."""

    def __init__(self, sdk: SdkBuilder) -> None:
        self.sdk_builds = CountedSdkBuilds(sdk)
        self.switched_off: dict[type, str] = {}
        self._sdk = sdk
        self._constructed: dict[type, ShapeTable] = {}
        self._validated: dict[type, ShapeTable] = {}

    def constructed(self, model: type) -> ShapeTable:
        """Return the constructors of this class without validation. Raises `Unsupported`."""
        if model not in self._constructed:
            self._check(model)
            self._constructed[model] = ShapeTable(_Construction(model, self._sdk, self), self.switch_off)
        return self._constructed[model]

    def validated(self, model: type) -> ShapeTable:
        """Return the constructors of this class with validation. Raises `Unsupported`."""
        if model not in self._validated:
            self._check(model)
            self._sdk.check_validation(model)
            self._validated[model] = ShapeTable(_Validation(model, self._sdk, self), self.switch_off)
        return self._validated[model]

    def switch_off(self, model: type, reason: str) -> None:
        """Let the SDK build all further objects of this class."""
        self.switched_off[model] = reason
        for tables in (self._constructed, self._validated):
            if model in tables:
                tables[model].switch_off()

    def shapes(self) -> tuple[int, int]:
        """Return the number of constructors in use, and the number of their classes."""
        tables = [*self._constructed.items(), *self._validated.items()]
        used = [(model, len(table)) for model, table in tables if table]
        return sum(count for _, count in used), len({model for model, _ in used})

    def _check(self, model: type) -> None:
        if model in self.switched_off:
            raise Unsupported(self.switched_off[model])
        self._sdk.check_model(model)


class _Construction:
    """Builds models without validation, as the SDK does in plain fields and lists."""

    def __init__(self, model: type, sdk: SdkBuilder, tables: ShapeTables) -> None:
        self.model = model
        self._sdk = sdk
        self._tables = tables

    def compile(self, keys: Keys) -> ShapeConstructor:
        if not all(type(key) is str and key not in self._sdk.reserved_keys for key in keys):
            raise Unsupported("a key with the name of a parameter of construct()")
        tables = self._tables
        return compile_constructed(
            self.model, keys, self._sdk, (tables.constructed, tables.validated), tables.sdk_builds
        )

    def by_sdk(self, data: dict[str, Any]) -> Any:
        return self._sdk.construct_type(type_=self.model, value=data)

    def fall_back(self, data: dict[str, Any]) -> Any:
        return self._tables.sdk_builds.complete_object(self.model, data)


class _Validation:
    """Builds models with validation, as the SDK does in a union."""

    def __init__(self, model: type, sdk: SdkBuilder, tables: ShapeTables) -> None:
        self.model = model
        self._sdk = sdk
        self._tables = tables

    def compile(self, keys: Keys) -> ShapeConstructor:
        if not all(type(key) is str and _is_unicode(key) for key in keys):
            raise Unsupported("a key that pydantic rejects")
        return compile_validated(self.model, keys, self._sdk, self._tables.validated)

    def by_sdk(self, data: dict[str, Any]) -> Any:
        return self.model.model_validate(data)  # type: ignore[attr-defined]

    def fall_back(self, data: dict[str, Any]) -> Any:
        raise Unmatched(self.model, data.keys())


def _is_unicode(key: str) -> bool:
    """Return True if the key has no lone surrogate: pydantic accepts one in a value, but not in a field name."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
