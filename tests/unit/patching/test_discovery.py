"""What `instrument()` does where an SDK is missing, too old, or not as expected: one warning, and hands off."""

import logging
from importlib.metadata import PackageNotFoundError

import anthropic
import openai
import pytest

import l0
from l0.patching import discovery
from l0_openai import OpenAIInstrumentor

OPENAI, ANTHROPIC = openai._base_client.SyncAPIClient, anthropic._base_client.SyncAPIClient


@pytest.fixture
def warnings_of(caplog):
    """Switches on, and gives the warnings that were logged."""

    def switch_on(**options):
        with caplog.at_level(logging.WARNING, "l0"):
            l0.instrument(**options)
        return [record.getMessage() for record in caplog.records if record.name == "l0"]

    yield switch_on
    l0.uninstrument()


def is_patched(owner):
    return hasattr(owner.__dict__["request"], "__wrapped__")


def test_both_providers_are_found_by_entry_point():
    assert [point.name for point in discovery.providers()][:2] == ["l0_anthropic", "l0_openai"]
    assert all(point.name.startswith("l0_") for point in discovery.providers())


def test_all_is_well(warnings_of):
    assert warnings_of() == []
    assert is_patched(OPENAI)
    assert is_patched(ANTHROPIC)


def test_a_version_outside_the_range_is_left_alone_with_one_warning(warnings_of, monkeypatch):
    monkeypatch.setattr(OpenAIInstrumentor, "supported", ">= 900, < 901")
    (warning,) = warnings_of()
    assert warning == f"l0 leaves openai {openai.__version__} alone: supported are openai >= 900, < 901"
    assert not is_patched(OPENAI)
    assert is_patched(ANTHROPIC)


def test_an_sdk_that_is_not_installed_is_passed_over(warnings_of, monkeypatch):
    def version(name):
        if name == "openai":
            raise PackageNotFoundError(name)
        return "2.11.0"

    monkeypatch.setattr(discovery, "version", version)
    assert warnings_of() == []
    assert not is_patched(OPENAI)
    assert is_patched(ANTHROPIC)


def test_an_sdk_of_another_shape_is_left_alone_with_one_warning(warnings_of, monkeypatch):
    monkeypatch.delattr(openai._streaming.AsyncStream, "__stream__")
    (warning,) = warnings_of()
    assert warning.startswith("l0 leaves openai alone: its insides are not as expected")
    assert not is_patched(OPENAI)
    assert is_patched(ANTHROPIC)


def test_a_policy_that_is_none_is_refused_before_anything_is_patched():
    with pytest.raises(l0.PolicyError):
        l0.instrument("interactive")  # type: ignore[arg-type]
    assert not is_patched(OPENAI)


def test_uninstrument_forgets_the_policy(warnings_of):
    warnings_of(policy=l0.Policy(truncation="off"))
    l0.uninstrument()
    with l0.policy() as current:
        assert current == l0.Policy()
