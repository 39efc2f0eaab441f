"""Compiled constructors: build the same response objects as the SDK, in a fraction of the time.

The SDKs interpret type annotations for every event that they decode. This package interprets them once per shape: for
each model class and each tuple of JSON keys, it generates a function from the `model_fields` of the installed SDK. The
SDK builds every field and object that the generator does not support. Before its first use, the result of every
generated function is compared with that of the SDK.

There are two kinds of constructors, because the SDKs build objects in two ways (`construct_type`):

* *constructed*: a model in plain fields and lists is filled in without validation (`constructed_models.py`).
* *validated*: pydantic validates the value of a union, completely or not at all (`validated_values.py`).
"""

from .compiled_constructors import CompilationReport, Constructors

__all__ = ["CompilationReport", "Constructors"]
