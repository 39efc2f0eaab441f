"""The README is true and short: its code runs as it stands, its commands exist, its pictures are there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from runnable_pages import ROOT, run_page, run_python

from l0.testing import simulator

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_is_one_screen_and_a_little() -> None:
    assert len(README.splitlines()) <= 150


def test_code_of_the_readme_runs() -> None:
    with simulator() as sim:
        done = run_python(README, sim)
    assert done.returncode == 0, done.stderr


def test_commands_of_the_readme_have_the_shown_output(tmp_path: Path) -> None:
    with simulator() as sim:
        environment = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": sim.openai}
        assert run_page(README, tmp_path, environment) == 2
        assert len(sim.requests) == 3  # the bare SDK's, and two with L0


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
