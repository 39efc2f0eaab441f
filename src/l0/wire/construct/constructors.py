"""The public face: compiled constructors for one SDK package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any, get_args

from l0.wire.construct.annotations import Unsupported, is_plain_class, is_union, unwrap
from l0.wire.construct.roots import class_root, union_root
from l0.wire.construct.scope import Build
from l0.wire.construct.sdk import Sdk
from l0.wire.construct.tables import Tables

# SDKs decode to a few dozen types. A program that makes up new ones for every call must not be remembered for ever.
MAX_TYPES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What compiled constructors did so far, for `l0 doctor`. Counts are approximate under threads."""

    shapes: int
    """Constructors that passed their self-test and are in use."""
    classes: int
    """Model classes that these shapes belong to."""
    switched_off: Mapping[str, str]
    """Classes whose self-test failed, by full name, and the first difference found. Empty when all is well."""
    unsupported: Mapping[str, str]
    """Types that were asked for and are left to the SDK, and why; the key `*` stands for all types."""
    part_fallbacks: int
    """Values inside an object that the SDK built, because they were not what their annotation says."""
    object_fallbacks: int
    """Whole objects that the SDK built or validated."""


class Constructors:
    """Compiled constructors for the response types of one SDK package, made as they are needed.

    Args:
        models: the SDK's `_models` module. Where it is not what is expected (pydantic 1, missing members), nothing is
            supported, and the report says why.

    Safe to share between threads, and across a fork.
    """

    def __init__(self, models: ModuleType) -> None:
        self._builders: dict[object, Build | None] = {}
        self._unsupported: dict[str, str] = {}
        self._sdk: Sdk | None = None
        try:
            self._sdk = Sdk(models)
            self._tables = Tables(self._sdk)
        except Unsupported as reason:
            self._unsupported["*"] = str(reason)

    def builder(self, type_: object) -> Callable[[Any], Any] | None:
        """The function that builds what `construct_type(type_=type_, value=data)` builds, or None if there is none.

        It takes decoded JSON, shares with its result what the SDK's would share, and raises nothing but what the SDK
        itself raises. Asking again for the same type is cheap.
        """
        # Equal unions may list their variants in another order, which the SDK's last resort goes by.
        try:
            key = (type_, get_args(unwrap(type_)[0]))
            if key not in self._builders and len(self._builders) < MAX_TYPES:
                self._builders[key] = self._make(type_)
            return self._builders.get(key)
        except TypeError:  # not hashable, hence no type that an SDK decodes to
            return None

    def report(self) -> Report:
        """A snapshot of what was compiled, and of what was left to the SDK."""
        if self._sdk is None:
            shapes, classes, off, parts, objects = 0, 0, {}, 0, 0
        else:
            tables = self._tables
            shapes, classes = tables.shapes()
            off = {f"{m.__module__}.{m.__qualname__}": reason for m, reason in tables.switched_off.copy().items()}
            parts, objects = tables.fallbacks.parts, tables.fallbacks.objects
        return Report(
            shapes=shapes,
            classes=classes,
            switched_off=MappingProxyType(off),
            unsupported=MappingProxyType(self._unsupported.copy()),
            part_fallbacks=parts,
            object_fallbacks=objects,
        )

    def _make(self, type_: object) -> Build | None:
        if self._sdk is None:
            return None
        try:
            return self._root(type_, self._sdk)
        except Unsupported as reason:
            self._unsupported[getattr(type_, "__qualname__", str(type_))] = str(reason)
            return None

    def _root(self, type_: object, sdk: Sdk) -> Build:
        bare = sdk.unwrap_once(type_)
        if is_plain_class(bare, sdk.base):
            return class_root(type_, self._tables.constructed(bare), self._tables.fallbacks)  # type: ignore[arg-type]
        if is_union(bare):
            return union_root(type_, bare, unwrap(type_)[1], sdk, self._tables)
        raise Unsupported("neither a model class nor a union of them")
