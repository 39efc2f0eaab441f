"""Describe how a fault is written in the text grammar."""

import inspect
from collections.abc import Callable
from typing import get_args

from .faults import Fault


def usage(name: str, make: Callable[..., Fault]) -> str:
    """Return the word of a fault with its options, such as ``status STATUS [HEADER=VALUE ...] [body=TEXT]``."""
    return " ".join([name.replace("_", "-"), *map(_option, inspect.signature(make).parameters.values())])


def _option(parameter: inspect.Parameter) -> str:
    if parameter.name == "headers":
        return "[HEADER=VALUE ...]"
    if parameter.default is parameter.empty:
        return parameter.name.upper()
    if parameter.default is not None:
        return f"[{parameter.name}={parameter.default}]"
    return f"[{parameter.name}={'N' if int in get_args(parameter.annotation) else 'TEXT'}]"
