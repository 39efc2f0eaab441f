"""Compiled constructors: the SDK's response objects, built as the SDK builds them, in a fraction of the time.

The SDKs interpret type annotations for every event they decode. Here the same interpretation happens once per shape:
for each model class and each tuple of keys that its JSON arrives with, a function is generated from the installed
SDK's own `model_fields`. What the generator does not know is left to the SDK, field by field or object by object, and
every generated function proves itself against the SDK's builder before it is used.

Two ways of building exist side by side, because the SDKs have two (`construct_type`):

* *constructed*: a model reached through plain fields and lists is filled in without any check (`constructed.py`).
* *validated*: a value below a union goes through pydantic, all or nothing (`validated.py`).
"""

from l0.wire.construct.constructors import Constructors, Report

__all__ = ["Constructors", "Report"]
