"""The counts, the table and the exit status of `make test-frameworks`."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import run_frameworks
from catalogue import Framework
from run_frameworks import Outcome

KNOWN = Framework(name="f", requirements=("f",), calls="with_f", limits={"chat: one span": "the tracer ends its span"})


def taken(order: tuple[str, ...], *checks: tuple[str, str | None]) -> Outcome:
    outcome = Outcome(KNOWN, versions="f 1.0")
    outcome.take(order, checks)
    return outcome


def test_all_checks_passed() -> None:
    outcome = taken((), ("chat: bare", None), ("chat: one span", None))
    assert (outcome.good, outcome.passed, outcome.failed) == (True, 2, 0)


def test_failed_check_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = taken((), ("chat: bare", None), ("chat: one span", "2 inference spans"))
    assert (outcome.good, outcome.passed, outcome.failed) == (False, 1, 1)
    assert capsys.readouterr().out == "  WRONG chat: one span: 2 inference spans\n"


def test_known_limit_is_not_a_pass_and_not_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = taken(("tracer", "before"), ("chat: bare", None), ("chat: one span", "2 inference spans"))
    assert (outcome.good, outcome.passed, outcome.known, outcome.failed) == (True, 1, 1, 0)
    assert "known tracer before chat: one span: the tracer ends its span" in capsys.readouterr().out


def test_limit_that_passes_is_a_failure() -> None:
    assert not taken(("tracer", "before"), ("chat: one span", None)).good


def test_framework_without_checks_was_not_run() -> None:
    assert not taken(()).good


@pytest.mark.parametrize(("broken", "status"), [(None, 0), ("ModuleNotFoundError: f | g\nh", 1)])
def test_table_and_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str | None, status: int
) -> None:
    def run(framework: Framework) -> Outcome:
        outcome = taken((), ("chat: bare", None))
        outcome.not_run = [broken] if broken else []
        return outcome

    monkeypatch.setattr(run_frameworks, "FRAMEWORKS", (KNOWN,))
    monkeypatch.setattr(run_frameworks, "run", run)
    assert run_frameworks.main([]) == status
    reason = "ModuleNotFoundError: f / g h" if broken else "-"
    assert f"| f | f 1.0 | 1 | 0 | 0 | {reason} |" in capsys.readouterr().out


def test_environment_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import sys; sys.exit('ERROR: No matching distribution found for f')"
    monkeypatch.setattr(run_frameworks, "PREPARE", (sys.executable, "-c", program))
    outcome = run_frameworks.run(KNOWN)
    assert not outcome.good
    assert outcome.not_run == ["no environment: ERROR: No matching distribution found for f"]
