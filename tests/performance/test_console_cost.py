"""A healthy call makes the same calls whether the console was never on, or is off again, and none into its modules."""

import pytest
from calls_per_token import SHORT, count, reading

import l0
from l0.console.call_tally import CallTally
from l0.console.console import Console

APIS = ("chat", "responses", "messages")


@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
@pytest.mark.parametrize("api", APIS)
def test_console_that_is_off_costs_a_healthy_call_no_calls(
    api: str, sync: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a healthy call reached the console")

    counts = []
    l0.instrument()
    try:
        for _ in range(2):  # the first answers compile constructors and fill caches
            reading(api, sync, SHORT)()
        counts.append(count(reading(api, sync, SHORT))[0])
        l0.instrument(console=True)
        reading(api, sync, SHORT)()
        assert capsys.readouterr().err
        l0.instrument(console=False)
        monkeypatch.setattr(Console, "observe", fail)
        monkeypatch.setattr(CallTally, "observe", fail)
        counts.append(count(reading(api, sync, SHORT))[0])
    finally:
        l0.uninstrument()
    assert counts[0] == counts[1]
