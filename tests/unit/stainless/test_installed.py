"""`installed` finds what `importlib.metadata` finds, and asks it only about what is not a plain metadata folder."""

import importlib.metadata
import sys
import zipfile
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path

import pytest

from l0.stainless import installed

GROUP = "opentelemetry_instrumentor"
KNOWN = {"l0_ours": "l0_ours:Ours"}
OWN = {point.name: point.value for point in importlib.metadata.entry_points(group=GROUP) if point.name[:3] == "l0_"}
OURS = f"[{GROUP}]\nl0_ours = l0_ours:Ours\n"
THEIRS = f"[{GROUP}]\nhttpx = otel_httpx:Httpx\nl0_theirs = theirs.place:Theirs\n"
plain = pytest.mark.skipif(
    not hasattr(PathFinder, "find_distributions"),
    reason="the backport importlib_metadata, which older OpenTelemetry installs, has replaced the finder: it is asked",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on the path."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions to `importlib.metadata`."""
    questions: list[str] = []

    def watch(name: str, real: Callable[..., object]) -> None:
        def ask(*args: object, **kwargs: object) -> object:
            questions.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(importlib.metadata, name, ask)

    watch("version", importlib.metadata.version)
    watch("entry_points", importlib.metadata.entry_points)
    return questions


def install(folder: Path, name: str, *, version: str = "1.2", entry_points: str = "", file: str = "METADATA") -> None:
    folder.mkdir(parents=True)
    head = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
    (folder / file).write_text(f"{head}Summary: Version: 9\n\nVersion: 8\n", "utf-8")
    if entry_points:
        (folder / "entry_points.txt").write_text(entry_points, "utf-8")


def found() -> dict[str, str]:
    return installed.entry_points_of(GROUP, "l0_", KNOWN | OWN)


def test_the_version_of_every_installed_distribution(asked: list[str]) -> None:
    for one in importlib.metadata.distributions():
        name = one.metadata["Name"]
        assert installed.version_of(name) == Distribution.from_name(name).version, name
    assert installed.version_of("no-such-distribution") is None


@plain
@pytest.mark.parametrize("spelled", ["some-sdk", "Some.SDK", "some_sdk"])
def test_a_version_by_any_spelling_of_the_name(place: Path, asked: list[str], spelled: str) -> None:
    install(place / "Some_SDK-1.2.dist-info", "Some-SDK")
    assert installed.version_of(spelled) == "1.2"
    assert asked == []


@plain
def test_the_first_of_two_versions(place: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    install(place / "late" / "some_sdk-1.0.dist-info", "some-sdk", version="1.0")
    install(place / "early" / "some_sdk-2.0rc1.dist-info", "some-sdk", version="2.0rc1")
    monkeypatch.setattr(sys, "path", [str(place / "missing"), str(place / "early"), str(place / "late"), *sys.path])
    assert installed.version_of("some-sdk") == importlib.metadata.distribution("some-sdk").version == "2.0rc1"
    assert asked == []


@pytest.mark.parametrize("folder", ["some_sdk.egg-info", "some_sdk-1.2.egg-info"])
def test_the_version_of_an_egg(place: Path, asked: list[str], folder: str) -> None:
    install(place / folder, "some-sdk", file="PKG-INFO")
    assert installed.version_of("some-sdk") == "1.2"
    assert asked == ["version"]


@pytest.mark.parametrize("head", ["version: 1.2\n", "Name: some-sdk\n folded\nVersion: 1.2\n", "Version: 1.2"])
def test_odd_metadata_is_left_to_importlib(place: Path, asked: list[str], head: str) -> None:
    (place / "some_sdk-1.2.dist-info").mkdir()
    (place / "some_sdk-1.2.dist-info" / "METADATA").write_text(head, "utf-8")
    assert installed.version_of("some-sdk") == "1.2"
    assert asked == ["version"]


@plain
def test_known_entry_points_need_no_importlib(place: Path, asked: list[str]) -> None:
    install(place / "l0_otel-1.dist-info", "l0-otel", entry_points=OURS)
    assert found() == {}
    assert asked == []


@pytest.mark.parametrize("folder", ["theirs-1.dist-info", "theirs.egg-info"])
@pytest.mark.parametrize("text", [THEIRS, THEIRS.replace(" = ", "="), "  " + THEIRS.replace("\n", "\r\n\t")])
def test_entry_points_of_others(place: Path, folder: str, text: str) -> None:
    install(place / folder, "theirs", entry_points=text)
    assert found() == {"l0_theirs": "theirs.place:Theirs"}


def test_another_package_may_replace_a_known_one(place: Path) -> None:
    install(place / "theirs-1.dist-info", "theirs", entry_points=OURS.replace(":Ours", ":Better.Ours [extra]"))
    assert found() == {"l0_ours": "l0_ours:Better.Ours"}


def test_archives_are_left_to_importlib(place: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(place / "program.pyz", "w") as archive:
        archive.writestr("theirs-1.2.dist-info/METADATA", "Name: theirs\nVersion: 1.2\n")
        archive.writestr("theirs-1.2.dist-info/entry_points.txt", THEIRS)
    monkeypatch.setattr(sys, "path", [str(place / "program.pyz"), *sys.path])
    assert found() == {"l0_theirs": "theirs.place:Theirs"}
    assert installed.version_of("theirs") == "1.2"
    assert asked == ["entry_points", "version"]


def test_entries_of_the_path_that_are_no_text(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(place / "more" / "theirs-1.2.dist-info", "theirs", entry_points=THEIRS)
    monkeypatch.setattr(sys, "path", ["", place / "more", *sys.path])
    assert found() == {"l0_theirs": "theirs.place:Theirs"}
    assert installed.version_of("theirs") == "1.2"


def test_egg_folders_are_left_to_importlib(place: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    install(place / "theirs-1.2-py3.egg" / "EGG-INFO", "theirs", entry_points=THEIRS, file="PKG-INFO")
    monkeypatch.setattr(sys, "path", [str(place / "theirs-1.2-py3.egg"), *sys.path])
    assert found() == {"l0_theirs": "theirs.place:Theirs"}
    assert installed.version_of("theirs") == "1.2"
    assert asked == ["entry_points", "version"]


def test_finders_of_others_are_left_to_importlib(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finder(DistributionFinder):
        def find_distributions(self, context: object = None) -> list[Distribution]:
            return [Distribution.at(tmp_path / "theirs-1.2.dist-info")]

    install(tmp_path / "theirs-1.2.dist-info", "theirs", entry_points=THEIRS)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert found() == {"l0_theirs": "theirs.place:Theirs"}
    assert installed.version_of("theirs") == "1.2"
    assert asked == ["entry_points", "version"]
