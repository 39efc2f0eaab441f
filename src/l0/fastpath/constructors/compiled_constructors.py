"""The public interface of the package: all compiled constructors for one SDK."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any, get_args

from .annotations import Unsupported, is_plain_class, is_union, unwrap
from .root_types import class_root, union_root
from .sdk_builder import SdkBuilder
from .sdk_tables import ShapeTables
from .source_scope import ShapeConstructor

# SDKs decode to a few dozen types. The limit bounds the memory of a program that creates new types for every call.
MAX_TYPES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilationReport:
    """Statistics of the compiled constructors, for `l0 doctor`. Counts are approximate if threads are used."""

    shapes: int
    """The number of constructors that passed their self-test and are in use."""
    classes: int
    """The number of model classes of these constructors."""
    switched_off: Mapping[str, str]
    """The first difference that the self-test found, by full name of the class."""
    unsupported: Mapping[str, str]
    """The reason why the SDK must build a requested type, by name of the type; the key `*` means all types."""
    values_left_to_sdk: int
    """The number of values inside objects that the SDK built, because they did not match their annotation."""
    objects_left_to_sdk: int
    """The number of complete objects that the SDK built or validated."""


class Constructors:
    """Compiled constructors for the response types of one SDK package, made as they are needed.

    Args:
        models: the SDK's `_models` module. If it is not as expected (pydantic 1, missing members), no type is
            supported, and the report contains the reason.

    Safe to share between threads, and to use after a fork.
    """

    def __init__(self, models: ModuleType) -> None:
        self._builders: dict[object, ShapeConstructor | None] = {}
        self._known: dict[int, tuple[object, ShapeConstructor | None]] = {}
        """Each type and its builder, by the id of the type, because hashing a large union costs more than building an
        event."""
        self._unsupported: dict[str, str] = {}
        self._sdk: SdkBuilder | None = None
        try:
            self._sdk = SdkBuilder(models)
            self._tables = ShapeTables(self._sdk)
        except Unsupported as reason:
            self._unsupported["*"] = str(reason)

    def builder(self, type_: object) -> Callable[[Any], Any] | None:
        """Return the function that builds the same object as `construct_type(type_=type_, value=data)`; `None` if the
        SDK must build objects of this type.

        The function takes decoded JSON. Its result shares the same parts with that JSON as the SDK's object would, and
        it raises only the exceptions of the SDK. A second call with the same type is cheap.
        """
        known = self._known.get(id(type_))
        if known is not None and known[0] is type_:
            return known[1]
        # The members are part of the key, because unions with another order are equal, but the SDK falls back to the
        # first member.
        try:
            key = (type_, get_args(unwrap(type_)[0]))
            if key not in self._builders and len(self._builders) < MAX_TYPES:
                self._builders[key] = self._make(type_)
            found = self._builders.get(key)
        except TypeError:  # not hashable: no SDK decodes to such a type
            return None
        if len(self._known) < MAX_TYPES:
            self._known[id(type_)] = type_, found
        return found

    @property
    def sdk(self) -> SdkBuilder | None:
        """Return the functions and classes with which the SDK builds objects; ``None`` if no type is supported."""
        return self._sdk

    @property
    def left_to_sdk(self) -> int:
        """The number of objects, and of values inside objects, that the SDK has built so far."""
        builds = self._tables.sdk_builds
        return builds.parts + builds.objects

    def report(self) -> CompilationReport:
        """Return a snapshot of the statistics."""
        if self._sdk is None:
            shapes, classes, off, parts, objects = 0, 0, {}, 0, 0
        else:
            tables = self._tables
            shapes, classes = tables.shapes()
            off = {f"{m.__module__}.{m.__qualname__}": reason for m, reason in tables.switched_off.copy().items()}
            parts, objects = tables.sdk_builds.parts, tables.sdk_builds.objects
        return CompilationReport(
            shapes=shapes,
            classes=classes,
            switched_off=MappingProxyType(off),
            unsupported=MappingProxyType(self._unsupported.copy()),
            values_left_to_sdk=parts,
            objects_left_to_sdk=objects,
        )

    def _make(self, type_: object) -> ShapeConstructor | None:
        if self._sdk is None:
            return None
        try:
            return self._root(type_, self._sdk)
        except Unsupported as reason:
            self._unsupported[getattr(type_, "__qualname__", str(type_))] = str(reason)
            return None

    def _root(self, type_: object, sdk: SdkBuilder) -> ShapeConstructor:
        bare = sdk.unwrap_once(type_)
        if is_plain_class(bare, sdk.base):
            return class_root(type_, self._tables.constructed(bare), self._tables.sdk_builds)  # type: ignore[arg-type]
        if is_union(bare):
            return union_root(type_, bare, unwrap(type_)[1], sdk, self._tables)
        raise Unsupported("neither a class derived from the SDK's own BaseModel nor a union of such classes")
