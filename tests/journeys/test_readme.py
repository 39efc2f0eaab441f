"""The README is true: its code runs as it stands, its commands exist, its picture is there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from l0.testing import simulator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def run(source: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_code_of_the_readme_runs():
    with simulator() as sim:
        env = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": sim.openai}
        # A collector that is not there costs a warning, nothing else.
        done = run("\n".join(blocks("python")), **env, OTEL_METRIC_EXPORT_TIMEOUT="100", OTEL_BSP_EXPORT_TIMEOUT="100")
        assert done.returncode == 0, done.stderr
        assert "simulated model" in done.stdout
        assert len(sim.requests) == 5


def test_a_broken_stream_ends_in_the_exception_that_is_shown():
    shown = next(block for block in blocks("python") if "StreamInterrupted" in block)
    with simulator() as sim:
        source = f"import l0, openai\nl0.instrument(l0.Policy(truncation='strict'))\nclient = openai.OpenAI()\n{shown}"
        sim.script("clean_end at_event=5")
        done = run(source, OPENAI_API_KEY="none", OPENAI_BASE_URL=sim.openai)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("truncated 1 Hello")


def test_the_rule_finds_a_secret():
    (block,) = [block for block in blocks("python") if "pattern_rule" in block]
    made: dict[str, Any] = {}
    exec(block.partition("with ")[0], made)
    found = made["secrets"].check().feed("It is sk-0123456789abcdef, so keep it. " * 5)
    assert [(violation.message, violation.at) for violation in found] == [("the answer contains a secret", 6)]


@pytest.mark.parametrize("command", re.findall(r"^\$ make (\w+)", README, re.MULTILINE))
def test_the_commands_exist(command):
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`l0 (\w+)`", README))))
def test_the_subcommands_exist(command):
    done = subprocess.run([sys.executable, "-m", "l0", command, "--help"], capture_output=True, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("picture", re.findall(r"!\[[^]]*\]\(([^)]+)\)", README))
def test_the_pictures_are_there(picture):
    assert (ROOT / picture).stat().st_size > 0


def test_the_extras_exist():
    named = {extra for group in re.findall(r"l0-otel\[([\w,]+)\]", README) for extra in group.split(",")}
    project = (ROOT / "pyproject.toml").read_text()
    declared = re.search(r"\[project.optional-dependencies\](.*?)^\[", project, re.DOTALL | re.MULTILINE)
    assert declared is not None
    assert named <= set(re.findall(r"^([\w-]+) =", declared.group(1), re.MULTILINE))


def _ratio(case: dict[str, Any], variant: str) -> float:
    return float(case["variants"][variant]["ratio"])


def _cost(cases: list[dict[str, Any]], name: str, variant: str) -> float:
    """Microseconds of CPU."""
    return next(float(case["variants"][variant]["min"]) for case in cases if case["name"] == name)


def test_the_figures_are_the_measured_ones():
    cases = json.loads((ROOT / "benchmarks/results/reference.json").read_text())["cases"]
    ratios = {case["name"]: case["variants"]["l0"]["ratio"] for case in cases if "l0" in case["variants"]}
    streams = {name: ratio for name, ratio in ratios.items() if name.endswith("25 x 200")}
    assert max(ratio for name, ratio in streams.items() if not name.startswith("messages")) <= 0.33
    assert max(ratio for name, ratio in streams.items() if name.startswith("messages")) < 0.75
    shares = [
        _ratio(case, "l0-direct") / _ratio(case, "l0") for case in cases if case["name"].endswith("async, 25 x 200")
    ]
    assert [round(share, 1) for share in shares] == [0.6] * 3
    long = [
        _ratio(case, "l0-direct") / _ratio(case, "l0") for case in cases if case["name"].endswith("async, 1 x 5,000")
    ]
    assert max(long) < min(shares)
    whole = [round(ratios[f"chat {flavour} whole"], 2) for flavour in ("sync", "async")]
    assert whole == [0.96, 1.02]
    assert max(ratio for name, ratio in ratios.items() if name.startswith("responses") and "whole" in name) <= 1.12
    assert max(ratio for name, ratio in ratios.items() if name.endswith("whole")) <= 1.25
    talks = [ratio for name, ratio in ratios.items() if "50 turns" in name and not name.startswith("messages")]
    assert round(1 / max(talks)) == 6
    added = [_cost(cases, "chat sync, 50 turns", who) - _cost(cases, "chat sync whole", who) for who in ("bare", "l0")]
    assert [round(added[0] / 1e3), round(added[1] / 1e3, 1)] == [10, 0.2]
    wholes = [name for name in ratios if name.endswith("whole")]
    of_opentelemetry = [_cost(cases, name, "l0") - _cost(cases, name, "l0-silent") for name in wholes]
    assert round(sum(of_opentelemetry) / len(wholes) / 1e3, 2) == 0.34


def test_the_program_that_is_shown_recovers_under_l0_run(tmp_path: Path) -> None:
    (block,) = [block for block in blocks("console") if "[[simulate:" in block]
    ((program, command),) = re.findall(r"cat app.py\n(.*?)\$ l0 simulate &\n.* (l0 run .*)\n", block, re.DOTALL)
    (tmp_path / "app.py").write_text(program)
    with simulator() as sim:
        done = subprocess.run(
            [Path(sys.executable).parent / "l0", *command.split()[1:]],
            cwd=tmp_path,
            env={**os.environ, "OPENAI_API_KEY": "none", "OPENAI_BASE_URL": sim.openai},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, len(sim.requests)) == (0, 2), done.stderr
    assert done.stdout == "Hello! I am a simulated model. How can I help you today?"
    assert "attempt 1 failed (empty" in done.stderr
    assert "recovered by retry" in done.stderr
