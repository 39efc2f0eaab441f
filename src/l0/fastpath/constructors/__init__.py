"""Compiled constructors: build the same response objects as the SDK, in a fraction of the time.

The SDKs interpret type annotations for every event that they decode. This package interprets them once per shape: for
each model class and each tuple of JSON keys, it generates a function from the `model_fields` of the installed SDK. The
SDK builds every field and object that the generator does not support. Every generated function is compared with the
SDK's builder before it is used.

There are two kinds of constructors, because the SDKs build objects in two ways (`construct_type`):

* *constructed*: a model below plain fields and lists is filled in without validation (`constructed.py`).
* *validated*: a value below a union is validated by pydantic, completely or not at all (`validated.py`).
"""

from .compiled_constructors import CompilationReport, Constructors

__all__ = ["CompilationReport", "Constructors"]
