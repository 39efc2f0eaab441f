"""Collect the functions and classes with which an SDK builds objects. Compiled constructors do the same work, and are
compared with them."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Annotated, Any, get_args, get_origin

from .annotations import Unsupported, is_alias

# Settings that do not change how a response object is built. The SDK builds classes with any other setting.
_HARMLESS_CONFIG = frozenset({"extra", "defer_build", "protected_namespaces", "title", "json_schema_extra"})

# Slots of an instance in pydantic 2.
_SLOTS = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")


class SdkBuilder:
    """The members of an SDK's `_models` module that build response objects.

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
            # The slot descriptors set instance attributes directly. Pydantic's `__setattr__` would validate them.
            self.setters = {slot: self.root.__dict__[slot].__set__ for slot in _SLOTS}
            self._construct = models.BaseModel.construct.__func__
        except (AttributeError, KeyError) as missing:
            raise Unsupported(f"{models.__name__} lacks {missing}") from None
        self._models = models
        # A key that is also a parameter of `construct(**data)` never becomes a field.
        parameters = inspect.signature(self._construct).parameters.values()
        self.reserved_keys = frozenset(p.name for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD)

    def unwrap_once(self, annotation: object) -> object:
        """Return the annotation without what `construct_type` removes: one `Annotated`, and an alias in newer SDKs."""
        if is_alias(annotation) and hasattr(self._models, "is_type_alias_type"):
            annotation = annotation.__value__  # type: ignore[attr-defined]
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        return annotation

    def declared_discriminator(self, metadata: tuple[object, ...]) -> str | None:
        """Return the field by which the SDK selects a variant if the data is valid for none; `None` if none is
        declared."""
        # Newer SDKs have a marker class for it; older SDKs use an attribute of a more general marker class.
        newer = hasattr(self._models, "UnionDiscriminator")
        marker: Any = getattr(self._models, "UnionDiscriminator" if newer else "PropertyInfo", ())
        names = [
            getattr(entry, "field_name" if newer else "discriminator")
            for entry in metadata
            if isinstance(entry, marker)
        ]
        return next(filter(None, names), None)

    def is_ignored_by_pydantic(self, metadata: tuple[object, ...]) -> bool:
        """Return True if all this metadata consists of the SDK's own markers, which pydantic ignores."""
        names = ("PropertyInfo", "UnionDiscriminator")
        markers = tuple(marker for name in names if (marker := getattr(self._models, name, None)) is not None)
        return all(isinstance(entry, markers) for entry in metadata)

    def check_model(self, model: type) -> None:
        """Check that `construct()` builds this class in the standard way.

        Raises:
            Unsupported: the class changes how its objects are built.
        """
        cls: Any = model
        if cls.construct.__func__ is not self._construct:
            raise Unsupported("a custom construct()")
        if cls.__new__ is not object.__new__ or cls.__private_attributes__:
            raise Unsupported("a custom __new__, or private attributes")
        if cls.model_config.get("extra") != "allow" or not cls.model_config.keys() <= _HARMLESS_CONFIG:
            raise Unsupported(f"model_config {cls.model_config}")
        if self._has_typed_extras(cls):
            raise Unsupported("typed extra fields")
        if not getattr(cls, "__pydantic_fields_complete__", True):
            raise Unsupported("unresolved forward references")

    def check_validation(self, model: type) -> None:
        """Check that pydantic validates this class field by field and in no other way.

        Raises:
            Unsupported: the class has validators, or fields with settings that change validation.
        """
        cls: Any = model
        hooks = cls.__pydantic_decorators__
        if hooks.validators or hooks.field_validators or hooks.root_validators or hooks.model_validators:
            raise Unsupported("validators")
        if cls.__pydantic_post_init__ or cls.__pydantic_root_model__:
            raise Unsupported("a root model, or a model with a post-init hook")
        if "__get_pydantic_core_schema__" in {name for c in self._own_bases(cls) for name in c.__dict__}:
            raise Unsupported("a custom core schema")
        for name, field in cls.model_fields.items():
            if field.validation_alias != field.alias or field.discriminator or field.validate_default:
                raise Unsupported(f"the settings of field {name!r}")

    def _has_typed_extras(self, model: type) -> bool:
        # Not from the core schema, because reading it would build it, which pydantic defers until its first use.
        try:
            return any("__pydantic_extra__" in cls.__annotations__ for cls in self._own_bases(model))
        except NameError:  # Python 3.14 evaluates annotations when they are read
            return True

    def _own_bases(self, model: type) -> tuple[type, ...]:
        """Return the class and its bases, except the SDK's base class, pydantic's `BaseModel` and the bases of that."""
        subclasses = model.__mro__[: model.__mro__.index(self.root)]
        return tuple(cls for cls in subclasses if cls is not self.base)
