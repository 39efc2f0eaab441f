"""The installed SDK's own builder: what compiled constructors copy, are measured against and fall back to."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Annotated, Any, get_args, get_origin

from l0.wire.construct.annotations import Unsupported, is_alias

# Settings that change nothing about how a response object is built. Any other one sends the class to the SDK.
_HARMLESS_CONFIG = frozenset({"extra", "defer_build", "protected_namespaces", "title", "json_schema_extra"})

# What an instance consists of, to pydantic 2.
_SLOTS = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")


class Sdk:
    """The members of one SDK's `_models` module that building a response object involves.

    Raises:
        Unsupported: pydantic is not version 2, or a member is missing.
    """

    def __init__(self, models: ModuleType) -> None:
        pydantic: Any = getattr(models, "pydantic", None)
        version = str(getattr(pydantic, "VERSION", None))
        if not version.startswith("2."):
            raise Unsupported(f"pydantic 2 is required, found {version}")
        try:
            self.root: type = pydantic.BaseModel
            self.base: type = models.BaseModel
            self.construct_type: Callable[..., Any] = models.construct_type
            self.construct_field: Callable[..., Any] = models._construct_field
            self.default_of: Callable[[Any], Any] = models.field_get_default
            self.setters = {slot: self.root.__dict__[slot].__set__ for slot in _SLOTS}
            self._construct = models.BaseModel.construct.__func__
        except (AttributeError, KeyError) as missing:
            raise Unsupported(f"{models.__name__} lacks {missing}") from None
        self._models = models
        # `construct(**data)`: a key that is also one of its parameters never becomes a field.
        parameters = inspect.signature(self._construct).parameters.values()
        self.reserved_keys = frozenset(p.name for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD)

    def unwrap_once(self, annotation: object) -> object:
        """The type that `construct_type` sees: one alias and one `Annotated` taken off, if this SDK does so."""
        if is_alias(annotation) and hasattr(self._models, "is_type_alias_type"):
            annotation = annotation.__value__  # type: ignore[attr-defined]
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        return annotation

    def declared_discriminator(self, metadata: tuple[object, ...]) -> str | None:
        """The field that the SDK itself goes by to pick a variant when the data is not valid, if it names one."""
        # Newer SDKs have a marker for this; older ones a property of a marker that serves other ends as well.
        newer = hasattr(self._models, "UnionDiscriminator")
        marker: Any = getattr(self._models, "UnionDiscriminator" if newer else "PropertyInfo", ())
        names = [
            getattr(entry, "field_name" if newer else "discriminator")
            for entry in metadata
            if isinstance(entry, marker)
        ]
        return next(filter(None, names), None)

    def is_silent(self, metadata: tuple[object, ...]) -> bool:
        """Whether pydantic ignores all of this metadata: only the SDK's own markers, which are meant for the SDK."""
        names = ("PropertyInfo", "UnionDiscriminator")
        markers = tuple(marker for name in names if (marker := getattr(self._models, name, None)) is not None)
        return all(isinstance(entry, markers) for entry in metadata)

    def check_model(self, model: type) -> None:
        """Let pass a class that `construct()` treats by the book.

        Raises:
            Unsupported: it has a say of its own in how it is built.
        """
        cls: Any = model
        if cls.construct.__func__ is not self._construct:
            raise Unsupported("a construct() of its own")
        if cls.__new__ is not object.__new__ or cls.__private_attributes__:
            raise Unsupported("a __new__ or private attributes of its own")
        if cls.model_config.get("extra") != "allow" or not cls.model_config.keys() <= _HARMLESS_CONFIG:
            raise Unsupported(f"model_config {cls.model_config}")
        if self._has_typed_extras(cls):
            raise Unsupported("typed extra fields")
        if not getattr(cls, "__pydantic_fields_complete__", True):
            raise Unsupported("forward references that are not resolved yet")

    def check_validation(self, model: type) -> None:
        """Let pass a class that pydantic validates field by field and in no other way.

        Raises:
            Unsupported: it has validators, or fields with settings that validation obeys.
        """
        cls: Any = model
        hooks = cls.__pydantic_decorators__
        if hooks.validators or hooks.field_validators or hooks.root_validators or hooks.model_validators:
            raise Unsupported("validators")
        if cls.__pydantic_post_init__ or cls.__pydantic_root_model__:
            raise Unsupported("a root model, or a model with a post-init hook")
        if "__get_pydantic_core_schema__" in {name for c in self._own_bases(cls) for name in c.__dict__}:
            raise Unsupported("a core schema of its own")
        for name, field in cls.model_fields.items():
            if field.validation_alias != field.alias or field.discriminator or field.validate_default:
                raise Unsupported(f"the settings of field {name!r}")

    def _has_typed_extras(self, model: type) -> bool:
        # The core schema says it too, but asking for that would build it, which pydantic defers to the first use.
        try:
            return any("__pydantic_extra__" in cls.__annotations__ for cls in self._own_bases(model))
        except NameError:  # Python 3.14 evaluates annotations when they are read
            return True

    def _own_bases(self, model: type) -> tuple[type, ...]:
        """The classes above pydantic's own, the SDK's base class left out."""
        above = model.__mro__[: model.__mro__.index(self.root)]
        return tuple(cls for cls in above if cls is not self.base)
