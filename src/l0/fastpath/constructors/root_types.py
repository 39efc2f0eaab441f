"""Builders for the type that an event is decoded to: a model class, or a union of model classes.

Only these builders are called from outside the package, and they catch every exception of compiled code: the SDK then
builds the object.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from l0.fastpath.comparison import difference

from .annotations import Unsupported, discriminator, members
from .sdk_builder import SdkBuilder
from .sdk_tables import CountedSdkBuilds, ShapeTables
from .shape_table import ShapeTable
from .source_scope import Rejected, ShapeConstructor


def class_root(annotation: object, table: ShapeTable, sdk_builds: CountedSdkBuilds) -> ShapeConstructor:
    """Return the builder for a model class."""

    def build(data: Any) -> Any:
        if type(data) is dict:
            try:
                return table[tuple(data)](data)
            except Exception:  # no call of the SDK in here: its own exception would get this one as its context
                pass
        return sdk_builds.complete_object(annotation, data)

    return build


def union_root(
    annotation: object, union: object, metadata: tuple[object, ...], sdk: SdkBuilder, tables: ShapeTables
) -> ShapeConstructor:
    """Return the builder for a union of model classes with a discriminating field.

    Raises:
        Unsupported: the union has no such field, or no supported variant.
    """
    found = members(union)
    if not all(sdk.is_ignored_by_pydantic(each) for each in [metadata, *(inner for _, inner in found)]):
        raise Unsupported("metadata that changes pydantic's validation")
    name, owners = discriminator([bare for bare, _ in found], sdk.base)
    variants = _variants(owners, tables)
    if not variants:
        raise Unsupported("no variant of the union is supported")
    for_invalid = _InvalidDataBuilder(
        annotation, variants, tables, declared=sdk.declared_discriminator(metadata) == name
    )
    # A dict of the tables alone saves an attribute lookup per event.
    validated = {value: variant.validated for value, variant in variants.items()}

    def build(data: Any) -> Any:
        if type(data) is dict:
            try:
                return validated[data[name]][tuple(data)](data)
            except Rejected:
                rejected = True
            except Exception:  # unknown variant, or data that pydantic must validate
                rejected = False
            return for_invalid.build(data.get(name), data, rejected=rejected)
        return tables.sdk_builds.complete_object(annotation, data)

    return build


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variant:
    model: type
    validated: ShapeTable
    constructed: ShapeConstructor


def _variants(owners: Mapping[str, Any], tables: ShapeTables) -> dict[str, _Variant]:
    """Return the supported variants, by value of the discriminating field."""
    variants: dict[str, _Variant] = {}
    for value, model in owners.items():
        try:
            validated = tables.validated(model)
            constructed = class_root(model, tables.constructed(model), tables.sdk_builds)
        except Unsupported:
            continue
        variants[value] = _Variant(model=model, validated=validated, constructed=constructed)
    return variants


class _InvalidDataBuilder:
    """Builds an object of a union from data that compiled validation rejects, without trying all variants.

    The SDK validates the data against every variant (dozens for an event stream). If the data is valid for none, it
    fills in the variant that the declared discriminator selects. The data can be valid for that variant only, so this
    class tries no other. This is the common case for servers that are older than the SDK and omit a required field.

    The self-test is that of the constructors: the first valid and the first invalid object of each variant are compared
    with those of the SDK.
    """

    def __init__(
        self, annotation: object, variants: Mapping[str, _Variant], tables: ShapeTables, *, declared: bool
    ) -> None:
        self._annotation = annotation
        self._variants = variants
        self._tables = tables
        self._declared = declared
        self._proven: set[tuple[type, bool]] = set()

    def build(self, value: object, data: dict[str, Any], *, rejected: bool) -> Any:
        """Return the object for this data. `value`: that of the discriminating field. `rejected`: the data is not
        valid."""
        variant = self._variants.get(value) if type(value) is str else None
        if variant is None or variant.model in self._tables.switched_off:
            return self._tables.sdk_builds.complete_object(self._annotation, data)
        built, valid = (None, False) if rejected else self._validated(variant, data)
        if not valid:
            if not self._declared:
                return self._tables.sdk_builds.complete_object(self._annotation, data)
            built = variant.constructed(data)
        proven = (variant.model, valid) in self._proven
        return built if proven else self._prove((variant.model, valid), built, data)

    def _validated(self, variant: _Variant, data: dict[str, Any]) -> tuple[Any, bool]:
        """Return the object and True; `None` and False if the data is not valid for the variant."""
        self._tables.sdk_builds.objects += 1
        try:
            return variant.model.model_validate(data), True  # type: ignore[attr-defined]
        except Exception:
            return None, False

    def _prove(self, case: tuple[type, bool], built: object, data: dict[str, Any]) -> Any:
        expected = self._tables.sdk_builds.complete_object(self._annotation, data)
        found = difference(built, expected)
        if found is not None:
            self._tables.switch_off(case[0], found)
        else:
            self._proven.add(case)
        return expected
