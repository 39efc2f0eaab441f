"""Find the policy that a text names: a preset, or a policy in a Python file. Commands and ``L0_POLICY`` use it."""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from os.path import abspath
from pathlib import Path
from types import ModuleType
from typing import Any

from .policy import Policy, PolicyError

# A preset is a class method of `Policy` that needs no arguments.
PRESETS = tuple(name for name, kind in vars(Policy).items() if type(kind) is classmethod)
ALLOWED = f"one of {', '.join(PRESETS)}, or FILE.py:NAME of a Policy or of a function that returns one"


def named_policy(text: str, field: str) -> Policy:
    """Return the preset with this name, in any case, or the policy ``FILE.py:NAME``.

    Raises `PolicyError` for ``field`` if there is none, or if the file raises an exception.
    """
    if text.lower() in PRESETS:
        preset: Policy = getattr(Policy, text.lower())()
        return preset
    path, name = _file_and_name(text)
    if not path:
        raise PolicyError(field, text, ALLOWED)
    try:
        value: Any = getattr(_module(path), name, None)
        policy = value() if callable(value) else value
    except FileNotFoundError:
        raise PolicyError(field, text, f"{ALLOWED}; {path} is not a file") from None
    except Exception as error:  # of the user's code
        raise PolicyError(field, text, f"{ALLOWED}; {path}:{name} raised {error!r}") from error
    if not isinstance(policy, Policy):
        raise PolicyError(field, text, f"{ALLOWED}; {name} is a value of type {type(policy).__name__}")
    return policy


def absolute(text: str) -> str:
    """Return the text that names the same policy in every working folder."""
    path, name = _file_and_name(text)
    return f"{path}:{name}" if path else text


def _file_and_name(text: str) -> tuple[str, str]:
    """Return the absolute path of ``FILE.py:NAME``, and the name; empty if the text has another form."""
    file, _, name = text.rpartition(":")
    return (abspath(file), name) if file.endswith(".py") and name else ("", "")  # noqa: PTH100 - removes ".."


@cache  # the environment is read again for each instrumented SDK
def _module(path: str) -> ModuleType:
    """Import a file. Its module has no name by which it could be imported, because Ray sends the code of a function
    only then."""
    spec = spec_from_file_location(f"l0_policy_{Path(path).stem}", path)
    assert spec is not None  # the file is a Python file by its name
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look up their module while it runs
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module
