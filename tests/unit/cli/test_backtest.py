"""`l0 backtest` over a small recording."""

import json
import sys
from pathlib import Path

import pytest

import l0
from l0.cli.main import main

FILE = """
import l0

patient = l0.Policy(retry=l0.Retry(max_retries=4))

thrifty = l0.Policy(retry=l0.Retry(max_retries=4), budget=True)

def made():
    return l0.Policy()

number = 7

def broken():
    raise ValueError("no")
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few recorded calls to the simulator."""
    import openai

    from l0.testing import simulator

    folder = tmp_path_factory.mktemp("runs")
    with simulator() as sim, openai.OpenAI(base_url=sim.openai, api_key="key", max_retries=0) as client:
        sim.script("status 503", *["ok"] * 7)
        l0.instrument(record=folder)
        try:
            for _ in range(8):
                try:
                    list(
                        client.chat.completions.create(
                            model="m", messages=[{"role": "user", "content": "hello"}], stream=True
                        )
                    )
                except openai.APIError:
                    pass
        finally:
            l0.uninstrument()
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A file with policies."""
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_table_has_a_row_for_each_policy(runs: Path, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(runs), "--policy", "interactive", "--policy", f"{mine}:patient", "--changes"]) == 0
    out = capsys.readouterr().out
    rows = [line.split("  ")[0] for line in out.splitlines()]
    assert "8 recorded calls" in out
    assert rows.count("recorded") == rows.count("interactive") == rows.count(f"{mine}:patient") == 2
    assert f"{mine}:patient: 1 of 8 calls change" in out
    assert "failed (unavailable), 1 requests" in out
    assert "-> whole, 2 requests" in out


def test_budget_has_columns_if_a_policy_has_one(runs: Path, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(runs), "--policy", f"{mine}:patient"]) == 0
    assert "budget spent" not in capsys.readouterr().out
    assert main(["backtest", str(runs), "--policy", f"{mine}:patient", "--policy", f"{mine}:thrifty"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()[2:6]
    assert head.split()[-5:] == ["budget", "spent", "refused", "by", "budget"]
    cells = [row[head.index("budget spent") :] for row in rows]
    assert [cell.split() for cell in cells[:2]] == [["-", "-"], ["-", "-"]]
    assert cells[2].startswith("125.0 % [")  # one request, and eight successes pay for 0.8
    assert "0.0 % [0.0, 32.4]" in cells[2]


def test_function_makes_a_policy(runs: Path, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(runs), "--policy", f"{mine}:made", "--json"]) == 0
    recorded, result = json.loads(capsys.readouterr().out)
    assert [call["verdict"] for call in recorded["calls"]] == ["failed", *["whole"] * 7]
    assert [call["verdict"] for call in result["calls"]] == ["failed", *["whole"] * 7]
    assert [call["requests"] for call in result["calls"]] == [1] * 8


def test_plot_has_a_row_for_each_policy(runs: Path, mine: Path, tmp_path: Path) -> None:
    path = tmp_path / "plot.svg"
    assert main(["backtest", str(runs), "--policy", f"{mine}:patient", "--plot", str(path)]) == 0
    svg = path.read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert svg.index(">recorded<") < svg.index(f">{mine}:patient<")


def test_plot_that_cannot_be_written_is_named(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "missing" / "plot.svg"
    assert main(["backtest", str(runs), "--policy", "agent", "--plot", str(path)]) == 2
    assert f"--plot {path}: No such file" in capsys.readouterr().err


def test_search_prints_every_call_as_json(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(runs), "--search", "--json"]) == 0
    recorded, *found = json.loads(capsys.readouterr().out)
    assert recorded["policy"] == "recorded"
    assert found
    assert {len(result["calls"]) for result in found} == {8}


def test_search_lists_the_calls_that_change(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(runs), "--search", "--changes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    heading = lines.index("not beaten by any other:")
    candidates = lines[heading + 1 : lines.index("", heading)]
    assert candidates
    assert len([line for line in lines if " of 8 calls change" in line]) == len(candidates)


def test_search_prints_the_front(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "front.svg"
    assert main(["backtest", str(runs), "--search", "--plot", str(path)]) == 0
    heading, _, columns, recorded, found, *rows = capsys.readouterr().out.splitlines()
    assert heading == "8 recorded calls; results in % of all of them; 95 % intervals in brackets"
    assert columns.split()[:3] == ["policy", "whole", "unknown"]
    assert recorded.split()[:2] == ["recorded", "87.5"]
    assert found == "not beaten by any other:"
    assert any("100.0 %" in row for row in rows)
    assert path.read_text(encoding="utf-8").count('class="label"') == 1 + len(rows)


def test_search_shows_the_policy_that_it_varies(runs: Path, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["backtest", str(runs), "--policy", f"{mine}:patient"]
    assert main(arguments) == 0
    table = capsys.readouterr().out.splitlines()
    assert main([*arguments, "--search"]) == 0
    searched = capsys.readouterr().out.splitlines()
    for name in ("recorded", f"{mine}:patient"):
        whole, same = (next(row for row in rows if row.startswith(f"{name}  ")) for rows in (table, searched))
        assert whole.removeprefix(name).split("]")[0] == same.removeprefix(name).split("]")[0]


def test_search_as_json_has_the_calls_of_each_policy(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(runs), "--search", "--json"]) == 0
    recorded, *found = json.loads(capsys.readouterr().out)
    assert recorded["policy"] == "recorded"
    assert found
    assert {len(result["calls"]) for result in found} == {8}


def test_several_recordings_are_one(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = runs.glob("*.l0")
    copied = tmp_path / file.name
    copied.write_bytes(file.read_bytes())
    assert main(["backtest", str(runs), str(copied), "--policy", "agent"]) == 0
    assert capsys.readouterr().out.startswith("16 recorded calls")
    assert main(["backtest", str(runs), str(tmp_path / "none"), "--policy", "agent"]) == 2
    assert f"{tmp_path / 'none'}: no recording" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--policy: none given"),
        (["--policy", "fast"], "FILE.py:NAME"),
        (["--policy", "{mine}:number"], "number is a value of type int"),
        (["--policy", "{mine}:missing"], "missing is a value of type NoneType"),
        (["--policy", "{mine}:broken"], "broken raised ValueError('no')"),
        (["--policy", "nowhere.py:policy"], "nowhere.py is not a file"),
        (["--policy", "agent", "--workers", "0"], "--workers: got 0, allowed: 1 or more"),
    ],
)
def test_invalid_policy_is_named(
    runs: Path, mine: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backtest", str(runs), *(one.format(mine=mine) for one in arguments)]) == 2
    assert message in capsys.readouterr().err


def test_ray_that_is_not_installed_is_named(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["backtest", str(runs), "--policy", "agent", "--ray"]) == 2
    assert "--ray: Ray is not installed: pip install 'l0-otel[ray]'" in capsys.readouterr().err


def test_folder_without_a_recording_is_invalid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backtest", str(tmp_path), "--policy", "agent"]) == 2
    assert "no recording" in capsys.readouterr().err


def test_policy_of_a_file_with_a_dataclass_is_read(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dataclasses look up their module while it runs; afterwards no module keeps the name."""
    path = tmp_path / "shaped.py"
    path.write_text(
        "from __future__ import annotations\nimport l0\nfrom dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "@dataclass\nclass Shape:\n    retries: int = 2\n    seen: ClassVar[int] = 0\n"
        "policy = l0.Policy(retry=l0.Retry(max_retries=Shape().retries))\n"
    )
    before = set(sys.modules)
    assert main(["backtest", str(runs), "--policy", f"{path}:policy"]) == 0
    assert "shaped.py:policy" in capsys.readouterr().out
    assert not [name for name in set(sys.modules) - before if "shaped" in name]
