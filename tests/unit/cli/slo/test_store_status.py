"""`l0 slo status --store`: the objectives in a file that a program left."""

from __future__ import annotations

import time

import pytest

from l0.cli.main import main
from l0.model.failure import Cause, Failure
from l0.shared_state.slo_storage import Storage
from l0.shared_state.slo_tracker import SloTracker
from l0.slo.judging import AttemptRecord
from l0.slo.objective import DEFAULTS, Indicator, Objective

GOOD = AttemptRecord(streaming=False, failure=None, opened=True, waited=1.0)
BAD = AttemptRecord(streaming=False, failure=Failure(cause=Cause.SERVER_ERROR, message="x"), opened=False, waited=1.0)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "slo #1.db"


def record(store, *attempts: AttemptRecord, objectives=DEFAULTS) -> None:
    slos = SloTracker(time.time)
    slos.start(objectives, storage=Storage(store))
    for attempt in attempts:
        slos.record_attempt(("openai", "gpt-4o"), attempt)
    slos.stop()


def test_a_store_that_burns_is_shown_and_an_exit_code(store, capsys):
    record(store, *[BAD] * 30)
    assert main(["slo", "status", "--store", str(store)]) == 1
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("availability"))
    assert " ".join(row.split()) == "availability openai gpt-4o 99 % 0/30 -9,900 %! 100.0x! 100.0x! 100.0x! 100.0x!"


def test_a_store_without_trouble_is_status_0_and_stays_as_it_is(store, capsys):
    record(store, *[GOOD] * 30)
    store.chmod(0o400)
    before = store.read_bytes()
    assert main(["slo", "status", "--store", str(store)]) == 0
    assert "30/30" in capsys.readouterr().out
    assert store.read_bytes() == before


def test_objectives_of_a_store_come_from_their_file(store, tmp_path, capsys):
    mine = Objective(name="mine", indicator=Indicator.AVAILABILITY, target=0.5)
    record(store, *[BAD] * 10, *[GOOD] * 30, objectives=[mine])
    file = tmp_path / "slo.yaml"
    file.write_text("objectives:\n  mine: {indicator: attempts.availability, target: 50%}\n")
    assert main(["slo", "status", "--store", str(store), "--file", str(file)]) == 0
    assert "30/40" in capsys.readouterr().out


def test_a_file_may_stand_without_its_option(store, tmp_path, capsys):
    file = tmp_path / "slo.yaml"
    file.write_text("objectives:\n  mine: {indicator: attempts.availability, target: 50%}\n")
    record(store, *[GOOD] * 30, objectives=[Objective(name="mine", indicator=Indicator.AVAILABILITY, target=0.5)])
    assert main(["slo", "status", str(file), "--store", str(store)]) == 0
    out = capsys.readouterr().out
    assert "30/30" in out
    assert "also has events" not in out


def test_a_store_with_other_objectives_says_so(store, capsys):
    mine = Objective(name="mine", indicator=Indicator.FIRST_CHUNK, target=0.5, threshold=2)
    up = Objective(name="up", indicator=Indicator.AVAILABILITY, target=0.5)
    record(store, *[GOOD] * 30, objectives=[mine, up, *DEFAULTS])
    assert main(["slo", "status", "--store", str(store)]) == 0
    out = capsys.readouterr().out
    assert f"{store} also has events of: up attempts.availability. To show them, pass their FILE: l0 slo status" in out


@pytest.mark.parametrize("fail_on", ["any", "page", "never"])
def test_a_store_whose_events_match_no_default_objective_is_bad_input(store, capsys, fail_on):
    up = Objective(name="up", indicator=Indicator.AVAILABILITY, target=0.99)
    record(store, *[BAD] * 30, objectives=[up])
    assert main(["slo", "status", "--store", str(store), "--fail-on", fail_on]) == 2
    said = capsys.readouterr()
    assert f"{store} has no events of the default objectives; it has events of: up" in said.err
    assert "pass their FILE: l0 slo status slo.yaml --store" in said.err
    assert not said.out


@pytest.mark.parametrize("other", ["down: {", "up: {provider: anthropic, "])
def test_a_store_whose_events_match_no_objective_of_the_file_is_bad_input(store, tmp_path, capsys, other):
    file = tmp_path / "slo.yaml"
    file.write_text(f"objectives:\n  {other}indicator: attempts.availability, target: 99%}}\n")
    record(store, *[BAD] * 30, objectives=[Objective(name="up", indicator=Indicator.AVAILABILITY, target=0.99)])
    assert main(["slo", "status", str(file), "--store", str(store), "--fail-on", "page"]) == 2
    assert f"{store} has no events of the objectives in FILE" in capsys.readouterr().err


@pytest.mark.parametrize(("fail_on", "code"), [("any", 1), ("page", 0), ("ticket", 1), ("spent", 1), ("never", 0)])
def test_the_exit_code_is_1_for_what_fail_on_names(store, capsys, fail_on, code):
    capacity = Objective(name="availability", indicator=Indicator.AVAILABILITY, target=0.75)
    record(store, *[BAD] * 9, *[GOOD] * 21, objectives=[capacity])  # a burn rate of 1.2: one ticket, no page
    file = store.with_name("slo.yaml")
    file.write_text("objectives:\n  availability: {indicator: attempts.availability, target: 75%}\n")
    assert main(["slo", "status", str(file), "--store", str(store), "--fail-on", fail_on]) == code
    out = capsys.readouterr().out
    assert "ticket: openai gpt-4o burns the budget of 'availability' 1.2 times too fast in 3d" in out


def test_a_report_and_the_status_of_its_store_have_the_same_order(store, capsys):
    slos = SloTracker(time.time)
    slos.start(storage=Storage(store))
    for provider in ("openai", "anthropic", "mistral_ai", "openai"):
        slos.record_attempt((provider, "m"), GOOD)
    report = slos.report()
    slos.stop()
    assert [status.provider for status in report.statuses[:: len(DEFAULTS)]] == ["anthropic", "mistral_ai", "openai"]
    main(["slo", "status", "--store", str(store)])
    assert capsys.readouterr().out.strip() == str(report)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--store", "none.db"], "cannot read none.db"),
        (["--store", __file__], "as a file of l0.slo.start(store=...)"),
        (["--prometheus", "http://127.0.0.1:1", "--file", "slo.yaml"], "--file: allowed only with --store"),
        (["slo.yaml", "--prometheus", "http://127.0.0.1:1"], "FILE: allowed only with --store"),
    ],
)
def test_what_is_no_store_is_bad_input(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["slo", "status", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_store_without_events_is_bad_input(store, capsys):
    record(store)
    assert main(["slo", "status", "--store", str(store)]) == 2
    assert "has no events of objectives" in capsys.readouterr().err
