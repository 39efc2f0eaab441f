"""Libraries whose calls L0 does not see, as `l0 doctor` reports them."""

import sys
from pathlib import Path

import pytest

from l0.cli.library_limits import library_limits


def install(folder: Path, name: str, *files: str) -> None:
    metadata = folder / f"{name.replace('-', '_')}-1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (metadata / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for path in map(folder.joinpath, files):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("dspy", "dspy/clients/engines/lm15_engine.py", "engine='litellm'"),
        (
            "opentelemetry-instrumentation-openai",
            "opentelemetry/instrumentation/openai/v1/responses_wrappers.py",
            "no l0.* attributes",
        ),
    ],
)
def test_library_is_reported_if_it_has_the_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, file: str, text: str
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert list(library_limits()) == []
    install(tmp_path, name, file)
    (found,) = library_limits()
    assert found.text.startswith(f"{name} 1.2: ")
    assert text in found.text
    assert not found.problem


def test_version_without_the_limit_is_not_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    install(tmp_path, "dspy", "dspy/clients/lm.py")
    assert list(library_limits()) == []


@pytest.mark.parametrize("name", ["mistralai", "ollama", "zai-sdk"])
def test_sdk_that_l0_does_not_patch_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    install(tmp_path, name, f"{name}/__init__.py")
    (found,) = library_limits()
    assert found.text == f"{name} 1.2: l0 does not see its calls; the explicit API can run them"
    assert not found.problem


def test_generated_sdk_is_reported_unless_a_class_patches_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    install(tmp_path, "sambanova", "sambanova/__init__.py")
    (found,) = library_limits()
    assert found.text == "sambanova 1.2: l0 does not see its calls; a provider's class can add it"
    assert list(library_limits({"sambanova"})) == []
