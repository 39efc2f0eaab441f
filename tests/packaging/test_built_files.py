"""The sdist and the wheel are reproducible and complete, and an index can show their page."""

import email
import os
import re
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
STEM = f"l0_otel-{PROJECT['project']['version']}"
PACKAGES = [ROOT / package for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
EPOCH = 1_700_000_000
OLDEST_ZIP_STEP_S = 2
RELATIVE_LINK = re.compile(r"\]\((?!https?://)[^)]*\)")


class Built(NamedTuple):
    """The two files of a build."""

    sdist: Path
    wheel: Path


def build(tree: Path, folder: Path, umask: int) -> Built:
    """Build both files of `tree` with the installed hatchling, without a network."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(EPOCH)}
    done = subprocess.run(
        command, cwd=tree, env=environment, umask=umask, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return Built(folder / f"{STEM}.tar.gz", folder / f"{STEM}-py3-none-any.whl")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(ROOT, tmp_path_factory.mktemp("built"), umask=0o022)


@pytest.fixture(scope="module")
def unpacked(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the sdist, with other times and other permissions than the repository has."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(built.sdist) as archive:
        archive.extractall(folder, filter="data")
    tree = folder / STEM
    for file in tree.rglob("*"):
        os.utime(file)
        file.chmod(0o700 if file.is_dir() else 0o600)
    return tree


@pytest.fixture(scope="module")
def names(built: Built) -> set[str]:
    with zipfile.ZipFile(built.wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(built: Built) -> Message:
    with zipfile.ZipFile(built.wheel) as archive:
        return email.message_from_bytes(archive.read(f"{STEM}.dist-info/METADATA"))


def test_sdist_builds_the_same_files(built: Built, unpacked: Path, tmp_path: Path) -> None:
    again = build(unpacked, tmp_path, umask=0o077)
    assert again.wheel.read_bytes() == built.wheel.read_bytes()
    assert again.sdist.read_bytes() == built.sdist.read_bytes()


def test_files_have_the_time_of_source_date_epoch(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        expected = time.gmtime(EPOCH - EPOCH % OLDEST_ZIP_STEP_S)[:6]
        assert {item.date_time for item in archive.infolist()} == {expected}
    with tarfile.open(built.sdist) as archive:
        assert {item.mtime for item in archive} == {EPOCH}


def test_wheel_has_every_file_of_the_packages_and_no_other(names: set[str]) -> None:
    files = [file for package in PACKAGES for file in package.rglob("*") if file.is_file()]
    expected = {
        str(file.relative_to(package.parent))
        for package in PACKAGES
        for file in files
        if file.is_relative_to(package) and "__pycache__" not in file.parts
    }
    assert {name for name in names if not name.startswith(f"{STEM}.dist-info/")} == expected
    assert {"l0/py.typed", "l0_openai/py.typed", "l0_anthropic/py.typed", "l0/simulator/answers.json"} <= expected
    assert {"l0/viewer/static/index.html", "l0/viewer/static/vendor/uplot/uPlot.esm.js"} <= expected


def test_wheel_has_the_licence_of_everything_in_it(names: set[str], metadata: Message) -> None:
    vendored = sorted((ROOT / "src" / "l0").rglob("vendor/*/"))
    licences = {str(folder.relative_to(ROOT) / "LICENSE") for folder in vendored}
    assert set(metadata.get_all("License-File", [])) == {"LICENSE", "NOTICE"} | licences
    assert {f"{STEM}.dist-info/licenses/{file}" for file in metadata.get_all("License-File", [])} <= names
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for folder in vendored:  # the first line of its README is its name and version
        title = (folder / "README.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        assert f"{title} ({folder.relative_to(ROOT)})" in notice


def test_page_on_an_index_has_no_link_to_a_file(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    page = str(metadata.get_payload())
    assert page.startswith("# L0\n")
    assert RELATIVE_LINK.findall(page) == []
    assert RELATIVE_LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def test_paths_on_the_page_are_in_the_sdist(metadata: Message, unpacked: Path) -> None:
    paths = set(re.findall(r" \[([\w./-]+\.md)(?:#[\w-]+)?\]", str(metadata.get_payload())))
    assert "docs/policy.md" in paths | set(re.findall(r"\[(docs/\w+\.md)\]", str(metadata.get_payload())))
    assert [path for path in sorted(paths) if not (unpacked / path).is_file()] == []


@pytest.mark.parametrize("folder", ["src", "instrumentation", "tests", "docs", "examples", "scripts", "benchmarks"])
def test_sdist_has_the_folder(unpacked: Path, folder: str) -> None:
    kept = {file.relative_to(ROOT) for file in (ROOT / folder).rglob("*.py") if "__pycache__" not in file.parts}
    assert kept <= {file.relative_to(unpacked) for file in unpacked.rglob("*")}


def test_sdist_has_no_caches_and_environments(unpacked: Path) -> None:
    hidden = {file.name for file in unpacked.rglob(".*")}
    assert hidden <= {".gitignore", ".gitkeep"}
    assert list(unpacked.rglob("*.pyc")) == []
