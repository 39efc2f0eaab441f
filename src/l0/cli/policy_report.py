"""Report the policy in force, and the source of each of its fields."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from time import monotonic
from typing import Any

from l0.config import CONFIG
from l0.model.named_policy import PRESETS
from l0.model.policy import Policy
from l0.model.policy_from_environment import SWITCHES, EnvironmentSettings, Path, read_environment
from l0.model.privacy import shown, without_credentials
from l0.shared_state.fleet.fleet import SOCKET_TIMEOUT_S, connect

from .doctor_finding import DoctorFinding


@dataclass(frozen=True, slots=True)
class PolicyFieldSource:
    """One field of the policy in force, such as ``retry.attempts``.

    ``source``: ``default``, ``code``, ``preset NAME``, ``policy FILE.py:NAME`` or ``variable NAME``.
    """

    field: str
    value: str
    source: str


def policy_fields() -> list[PolicyFieldSource]:
    """Return all fields of the policy that calls in this process follow."""
    settings = read_environment(os.environ)
    set_in_code = CONFIG.default
    policy = set_in_code or settings.policy or Policy()
    is_turned_off = settings.turns_off(policy)
    if is_turned_off:
        policy = replace(policy, mode="off")
    defaults = dict(_flat(Policy(), ()))
    found = []
    for path, value in _flat(policy, ()):
        in_code = set_in_code is not None and not (is_turned_off and path == ("mode",))
        found.append(PolicyFieldSource(".".join(path), _text(value), _source(path, value, defaults, settings, in_code)))
    return found


def policy_report() -> Iterator[DoctorFinding]:
    """Report the fields that are not the default, and the variables that L0 ignores."""
    settings = read_environment(os.environ)
    for problem in settings.problems:
        yield DoctorFinding(problem, True)
    if CONFIG.default is not None and (names := settings.replaced_by(CONFIG.default)):
        yield DoctorFinding(f"the policy in code replaces that of the environment: {names}")
    defaults = EnvironmentSettings()
    for variable, name in SWITCHES.items():
        on = getattr(settings, name)
        if on is not getattr(defaults, name):
            yield DoctorFinding(f"{name} is {'on' if on else 'off'} (variable {variable})")
    if settings.record is not None:
        yield DoctorFinding(f"calls are recorded in {settings.record} (variable L0_RECORD)")
    if settings.log is not None:
        yield DoctorFinding(f"failures and recoveries are logged in {settings.log} (variable L0_LOG)")
    if settings.provider_names:
        hosts = ", ".join(f"{host} is {name}" for host, name in settings.provider_names.items())
        yield DoctorFinding(f"names of providers: {hosts} (variable L0_PROVIDER_NAMES)")
    yield from _fleet(CONFIG.fleet or settings.fleet)
    chosen = [field for field in policy_fields() if field.source != "default"]
    for field in chosen:
        yield DoctorFinding(f"{field.field} = {field.value} ({field.source})")
    yield DoctorFinding("all other fields: default" if chosen else "all fields: default")


def _fleet(url: str | None) -> Iterator[DoctorFinding]:
    """Report whether the fleet's Redis answers. If not, that is a problem: each process then shares nothing."""
    if url is None:
        return
    name = without_credentials(url)
    try:
        began_at = monotonic()
        with connect(url, SOCKET_TIMEOUT_S) as redis:
            redis.ping()
    except ImportError:
        yield DoctorFinding(f"the fleet at {name} is not joined: pip install 'l0-otel[redis]'", True)
    except Exception as error:  # redis-py's errors, whose module may be missing
        yield DoctorFinding(f"fleet: Redis at {name} does not answer ({type(error).__name__})", True)
    else:
        yield DoctorFinding(f"fleet: Redis at {name} answers within {1000 * (monotonic() - began_at):.1f} ms")


def _flat(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield path and value of each field; fields of nested settings instead of the settings themselves."""
    for field in fields(value):
        field_value, field_path = getattr(value, field.name), (*path, field.name)
        if is_dataclass(field_value) and type(field_value).__module__ == Policy.__module__:
            yield from _flat(field_value, field_path)
        else:
            yield field_path, field_value


def _source(path: Path, value: Any, defaults: dict[Path, Any], settings: EnvironmentSettings, in_code: bool) -> str:
    """Return the source of a field. A variable may set the field itself or the object that holds it."""
    is_default = path in defaults and defaults[path] == value
    if in_code:
        return "default" if is_default else "code"
    for length in range(len(path), 0, -1):
        if path[:length] in settings.sources and (length == len(path) or not is_default):
            return f"variable {settings.sources[path[:length]]}"
    if () in settings.sources and not is_default:
        text = os.environ[settings.sources[()]].strip()
        return f"preset {text.lower()}" if text.lower() in PRESETS else f"policy {text}"
    return "default"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_text, value)) or "none"
    return str(value) if isinstance(value, str) else shown(value)
