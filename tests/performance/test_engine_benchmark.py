"""The benchmark of the engine follows the interfaces of the runtime: nothing else runs it."""

import pytest
from benchmarks import engine


def test_engine_benchmark_measures_every_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CHUNKS", 20)
    assert engine.measure(1).keys() == engine.POLICIES.keys()
