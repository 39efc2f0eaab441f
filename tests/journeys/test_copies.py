"""Copies of the SDKs and of l0 without metadata: vendored, and in a zip file."""

import site
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import anthropic
import openai
import pytest

import l0
import l0_anthropic
import l0_openai

PROGRAM = """
import sys, warnings
warnings.simplefilter("error")
import l0
l0.instrument()
import importlib.metadata as metadata
for name in ("openai", "anthropic", "l0-otel"):
    try:
        raise SystemExit(f"{name} has metadata: {metadata.version(name)}")
    except metadata.PackageNotFoundError:
        pass
import openai, anthropic
from l0.simulator.faults import Fault
from l0.testing import simulator
with simulator() as sim:
    broken = []
    for one in (
        openai.OpenAI(api_key="k", base_url=sim.openai, max_retries=0).chat.completions,
        anthropic.Anthropic(api_key="k", base_url=sim.anthropic, max_retries=0).messages,
    ):
        sim.script(Fault.reset(at_event=5))
        try:
            list(one.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}], stream=True))
        except l0.StreamInterrupted as error:
            broken.append(type(error).__name__)
assert len(broken) == 2, broken
l0.uninstrument()
assert not hasattr(openai.OpenAI.request, "__wrapped__")
print("patched", openai.__version__, anthropic.__version__, openai.__file__)
"""


def run(*paths: Path) -> str:
    program = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}\n{PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture
def vendored(tmp_path: Path) -> Path:
    """A folder of packages as they are installed, the SDKs and l0 without their metadata."""
    folder = tmp_path / "vendor"
    folder.mkdir()
    for root in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}:
        for item in Path(root).iterdir():
            place = folder / item.name
            # httpx2 cannot be imported without its own metadata, so that of the rest stays.
            bare = item.name.startswith(("openai-", "anthropic-", "l0_otel-")) or item.suffix in (".pth", ".egg-link")
            if not bare and not place.exists():
                place.symlink_to(item)
    for package in (l0, l0_openai, l0_anthropic):
        place = folder / package.__name__
        place.unlink(missing_ok=True)
        place.symlink_to(Path(str(package.__file__)).parent)
    return folder


def test_a_vendored_copy(vendored: Path) -> None:
    assert run(vendored).startswith(f"patched {openai.__version__} {anthropic.__version__}")


def test_a_copy_in_a_zip_file(vendored: Path, tmp_path: Path) -> None:
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as written:
        for name in ("openai", "l0", "l0_openai", "l0_anthropic"):
            root = (vendored / name).resolve()
            for file in root.rglob("*"):
                if file.suffix in (".py", ".json", ".typed"):
                    written.write(file, f"{name}/{file.relative_to(root)}")
            (vendored / name).unlink()
    assert str(archive) in run(archive, vendored)
