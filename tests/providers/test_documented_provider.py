"""The provider that docs/providers.md adds as a third party: at most 20 lines, found by its entry point, healed."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")
CODE, ENTRY_POINT = re.search(r"```python\n(# l0_sambanova\.py\n.*?)```.*?```toml\n(.*?)```", PAGE, re.DOTALL).groups()  # type: ignore[union-attr]
TEST_OF_PAGE = re.search(r"```python\n(import l0\n[^`]*?from sambanova.*?)```", PAGE, re.DOTALL)[1]  # type: ignore[index]
TABLE_OF_PAGE = re.search(r"```python\n(# test_sambanova\.py\n.*?)```", PAGE, re.DOTALL)[1]  # type: ignore[index]
NEEDED = pytest.mark.skipif(
    find_spec("sambanova") is None,
    reason="sambanova is not installed here: make test-providers has an environment with it",
)
PROGRAM = """
import sys
import l0

l0.instrument()
import sambanova  # patched when it is imported

with sambanova.SambaNova(api_key="k", base_url=sys.argv[1]) as client:
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    chunks = list(client.chat.completions.create(**asked))
print("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))
"""


def _run(folder: Path, *arguments: str) -> str:
    """Run Python where the provider is installed as pip does."""
    (folder / "l0_sambanova.py").write_text(CODE)
    metadata = folder / "l0_sambanova-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: l0-sambanova\nVersion: 1.0\n")
    group, line = re.search(r"\[project\.entry-points\.(\w+)\]\n(.*)\n", ENTRY_POINT).groups()  # type: ignore[union-attr]
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


def test_provider_takes_at_most_20_lines() -> None:
    lines = [line for line in (CODE + ENTRY_POINT).splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 20


@NEEDED
def test_call_is_retried(sim: Simulator, tmp_path: Path) -> None:
    sim.reset()
    sim.script(Fault.reset(at_event=0))
    assert _run(tmp_path, "-c", PROGRAM, sim.origin).strip()
    assert len(sim.requests) == 2


@NEEDED
def test_doctor_shows_it_as_our_own(tmp_path: Path) -> None:
    report = _run(tmp_path, "-m", "l0", "doctor")
    section = report.partition("sambanova, supported")[2].partition("\nPolicy")[0]
    assert "patched; l0's own loop reads its streams" in section
    assert "one streamed answer, chat: whole" in section
    assert "compiled constructors: " in section
    assert "one answer, embeddings: whole" in section
    assert "!" not in section
    assert "declares no terminal_event_host" not in section


@NEEDED
def test_test_of_the_page_passes(tmp_path: Path) -> None:
    _run(tmp_path, "-c", TEST_OF_PAGE)


@NEEDED
def test_table_of_the_page_passes(tmp_path: Path) -> None:
    tests = tmp_path / "test_sambanova.py"
    tests.write_text(TABLE_OF_PAGE)
    assert " passed" in _run(tmp_path, "-m", "pytest", str(tests), "-q", "-n0", f"--rootdir={tmp_path}")
