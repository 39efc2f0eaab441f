"""`l0 doctor` reports each declared SDK as it does openai: version, one answer per API, compiled constructors."""

import pytest
from tried_sdks import ProviderStage

from l0.cli.doctor import doctor
from l0.stainless import discovery


def test_doctor_reads_an_answer_of_each_api(
    stage: ProviderStage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = stage.tried
    monkeypatch.setattr("l0.cli.doctor.load_providers", lambda: ([tried.instrumentor()], []))
    assert doctor() == 0
    report = capsys.readouterr().out
    name = tried.instrumentor.sdk_name
    assert f"{name} {discovery.installed_version(name)}: patched; l0's own loop reads its streams" in report
    if any(path.endswith("/embeddings") for path in tried.instrumentor.paths):
        assert "one answer, embeddings: whole" in report
    for dialect in tried.dialects:
        assert f"one streamed answer, {dialect}: whole" in report
    assert "left to the SDK: 0 objects, 0 parts" in report
    assert "switched off:" not in report
    lines = [line.strip() for line in report.splitlines()]
    assert [line for line in lines if line.startswith("built by the SDK")] == list(tried.left_to_sdk)
