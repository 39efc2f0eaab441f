"""Nothing in the tree knows the machine it was written on."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = {".py", ".toml", ".md", ".yml", ".yaml", ".json", ".cfg", ".sh", ""}
# Absolute paths of a person's, a container's or a workplace's folders; URLs and this tree's own folders are not meant.
MACHINE = re.compile(r"(?<![\w.:/~$}\])-])/(?:home|Users|root|work|workspace|workspaces|mnt|private|tmp)/[\w.]")


def tracked() -> list[Path]:
    """The project's text files, without what tools leave behind."""
    own = [item for item in ROOT.iterdir() if not item.name.startswith(".") or item.name == ".ci"]
    files = [file for item in own for file in ([item] if item.is_file() else item.rglob("*"))]
    kept = [file for file in files if file.is_file() and file.suffix in TEXT]
    return sorted(file for file in kept if not any(part == "__pycache__" for part in file.parts))


@pytest.mark.parametrize("line", ["cd /home/" + "me/l0", "open('/tmp/" + "x')", "PATH=/root/" + "bin"])
def test_a_path_of_a_machine_is_seen(line: str) -> None:
    assert MACHINE.search(line)


@pytest.mark.parametrize("line", ["https://example.org/home/page", "src/work/file.py", "/v1/messages", "a//tmp/b"])
def test_similar_text_is_not_reported(line: str) -> None:
    assert not MACHINE.search(line)


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in tracked()
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        if MACHINE.search(line)
    ]
    assert found == []


def test_no_log_line_carries_the_text_of_an_exception() -> None:
    """It may quote keys, prompts and answers: `l0.model.errors.raised` names its class and place."""
    room = Path(__file__).resolve().parents[2] / "src" / "l0"
    found = [
        str(file.relative_to(room))
        for file in room.rglob("*.py")
        if "exc_info=" in file.read_text() or "log.exception(" in file.read_text()
    ]
    assert found == []
