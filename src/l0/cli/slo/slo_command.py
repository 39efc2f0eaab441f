"""`l0 slo ACTION`: reads and writes files, and leaves the rest to `l0.slo`."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from l0.slo.dashboard import dashboard
from l0.slo.document import ObjectivesError, parse, warnings, write
from l0.slo.objective import DEFAULTS, Objective
from l0.slo.openslo import from_openslo, to_openslo
from l0.slo.prometheus_rules import rules
from l0.slo.prometheus_tests import promtests
from l0.slo.yaml_lines import dump

from ..inputs import InputError

_RULES = "Prometheus rules for l0's objectives, made by: l0 slo rules"
_TESTS = "Tests of these rules for promtool, made by: l0 slo test --output FILE"


def slo(given: argparse.Namespace) -> int:
    """Run one action; returns its exit code. Raises `InputError`."""
    try:
        return _ACTIONS[given.action](given)
    except ImportError as error:  # an extra; the message names it
        raise InputError(str(error)) from error
    except ObjectivesError as error:
        raise InputError(f"the objectives cannot be obeyed\n{error}") from error


def _init(given: argparse.Namespace) -> int:
    text = write()
    try:
        with given.path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise InputError(f"{given.path} is there already") from error
    except OSError as error:
        raise InputError(f"cannot write {given.path}: {error.strerror}") from error
    print(f"written: {given.path}. Check it after a change: l0 slo check {given.path}")
    return 0


def _check(given: argparse.Namespace) -> int:
    try:
        objectives = parse(_read(given.path), str(given.path))
    except ObjectivesError as error:
        print(error, file=sys.stderr)
        return 1
    for warning in warnings(objectives):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{given.path}: {len(objectives)} objectives, all in order")
    return 0


def _rules(given: argparse.Namespace) -> int:
    return _put(rules_text(_objectives(given.file)), given.output)


def _dashboard(given: argparse.Namespace) -> int:
    return _put(dashboard(_objectives(given.file)), given.output)


def _export(given: argparse.Namespace) -> int:
    return _put(to_openslo(_objectives(given.file)), given.output)


def _import(given: argparse.Namespace) -> int:
    return _put(write(from_openslo(_read(given.path), str(given.path))), given.output)


def _test(given: argparse.Namespace) -> int:
    objectives = _objectives(given.file)
    if given.output is not None:
        return _put(tests_text(objectives, given.rule_file), given.output)
    promtool = shutil.which("promtool")
    if promtool is None:
        raise InputError("promtool is not on the PATH, so nothing was tested; it comes with Prometheus")
    with tempfile.TemporaryDirectory() as folder:
        rule_file, test_file = Path(folder, "rules.yml"), Path(folder, "tests.yml")
        rule_file.write_text(rules_text(objectives), encoding="utf-8")
        test_file.write_text(tests_text(objectives, rule_file.name), encoding="utf-8")
        for arguments in (["check", "rules", rule_file], ["test", "rules", test_file]):
            if subprocess.run([promtool, *map(str, arguments)], check=False).returncode != 0:
                return 1
    return 0


def _status(given: argparse.Namespace) -> int:
    from .status_view import status

    return status(given.prometheus, given.hours, plain=given.plain)


def rules_text(objectives: Sequence[Objective]) -> str:
    """The rule file, as it is written."""
    return dump(rules(objectives), comment=_RULES)


def tests_text(objectives: Sequence[Objective], rule_file: str) -> str:
    """The file of its tests, as it is written."""
    return dump(promtests(objectives, rule_file), comment=_TESTS)


def _objectives(path: Path | None) -> Sequence[Objective]:
    return DEFAULTS if path is None else parse(_read(path), str(path))


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8") from error


def _put(text: str, path: Path | None) -> int:
    if path is None:
        print(text, end="")
        return 0
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    return 0


_ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "init": _init,
    "check": _check,
    "rules": _rules,
    "test": _test,
    "dashboard": _dashboard,
    "export": _export,
    "import": _import,
    "status": _status,
}
