"""`l0 completion`: the script completes commands, options and paths in a real bash."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from l0.cli.main import main

pytest.importorskip("shtab", reason="shtab is not installed: `make setup` installs the extra `cli`")
ASK = """
{script}
cd {folder}
COMP_WORDS=({words})
COMP_CWORD=$(({count} - 1))
{function}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", "bash"]) == 0
    return capsys.readouterr().out


def completions(script: str, folder: Path, *words: str) -> set[str]:
    """Return what bash proposes for the last word."""
    function = script.rsplit("complete ", 1)[1].split("-F ", 1)[1].split(maxsplit=1)[0]
    program = ASK.format(
        script=script,
        folder=shlex.quote(str(folder)),
        words=" ".join(map(shlex.quote, words)),
        count=len(words),
        function=function,
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("l0", "b"), ["backtest"]),
        (("l0", "run", "--vie"), ["--view", "--view-port"]),
        (("l0", "slo", "da"), ["dashboard"]),
        (("l0", "run", "--record", ""), ["runs"]),
        (("l0", "run", "ap"), ["app.py"]),
        (("l0", "completion", ""), ["bash", "tcsh", "zsh"]),
    ],
    ids=" ".join,
)
def test_bash_completes(script: str, tmp_path: Path, words: tuple[str, ...], expected: list[str]) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "app.py").touch()
    assert completions(script, tmp_path, *words) >= {*expected}


@pytest.mark.parametrize("words", [("l0", "run", "--record", ""), ("l0", "view", "--recordings", "")], ids=" ".join)
def test_bash_completes_an_option_for_folders_with_folders_only(
    script: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "app.py").touch()
    assert completions(script, tmp_path, *words) == {"runs"}


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "backtest" in capsys.readouterr().out


def test_without_shtab_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert capsys.readouterr().err == "l0 completion: the script requires shtab: pip install 'l0-otel[cli]'\n"
