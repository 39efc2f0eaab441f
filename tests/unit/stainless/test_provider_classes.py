"""Classes of providers: their attributes are checked, a broken one stops no program, one patches an SDK at a time."""

import sys
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import openai
import pytest

import l0
from l0.stainless import discovery
from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor
from l0_openai import OpenAIInstrumentor

DECLARED = {"sdk_name": "openai", "supported_versions": ">= 1", "provider_name": "own", "paths": ("/chat/completions",)}


@pytest.fixture(autouse=True)
def _bare() -> Iterator[None]:
    yield
    l0.uninstrument()


def declare(name: str = "Declared", **attributes: Any) -> type[OpenAiApiInstrumentor]:
    """Return a provider's class with these attributes. ``...``: without this one."""
    chosen = {key: value for key, value in {**DECLARED, **attributes}.items() if value is not ...}
    return type(name, (OpenAiApiInstrumentor,), {"__module__": "l0_declared", **chosen})


AddDeclared = Callable[[str, type[OpenAiApiInstrumentor]], None]
SOURCE_WITHOUT_PATHS = """from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor


class Placed(OpenAiApiInstrumentor):
    sdk_name = "openai"
    supported_versions = ">= 1"
    provider_name = "own"
"""


def _write_package(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> ModuleType:
    """Write a module, and import it."""
    (folder / f"{name}.py").write_text(source, "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    _forget_after_test(monkeypatch, name)
    return import_module(name)


def _forget_after_test(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.delitem(sys.modules, name)


def _install_sdk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install ``own-sdk`` 1.2, which has none of the modules that Stainless generates."""
    (folder / "own_sdk").mkdir()
    (folder / "own_sdk" / "__init__.py").write_text("", "utf-8")
    metadata = folder / "own_sdk-1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.4\nName: own-sdk\nVersion: 1.2\n", "utf-8")
    (metadata / "RECORD").write_text("own_sdk/__init__.py,,\n", "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    _forget_after_test(monkeypatch, "own_sdk")


def is_patched() -> bool:
    return hasattr(vars(openai._base_client.SyncAPIClient)["request"], "__wrapped__")


def warnings_of_instrument() -> list[str]:
    with warnings.catch_warnings(record=True, action="always") as found:
        l0.instrument()
    return [str(warning.message) for warning in found]


@pytest.mark.parametrize(
    ("attribute", "given", "text"),
    [
        ("sdk_name", ..., "got nothing"),
        ("sdk_name", "cerebras-cloud-sdk", "got 'cerebras-cloud-sdk'"),
        ("distribution", "", "got ''"),
        ("supported_versions", ..., "got nothing"),
        ("supported_versions", "0.46", "got '0.46'"),
        ("supported_versions", (">= 1", "< 2"), "got ('>= 1', '< 2')"),
        ("provider_name", ..., "got nothing"),
        ("provider_name", None, "got None"),
        ("paths", ..., "got nothing"),
        ("paths", "/chat/completions", "got '/chat/completions'"),
        ("paths", (), "got ()"),
        ("paths", ("/chat/completions", "/v1/chat"), "got ('/chat/completions', '/v1/chat')"),
        ("paths", (42,), "got (42,)"),
        ("paths", ["/chat/completions"], "got ['/chat/completions']"),
        ("paths", ("/v1/messages",), "got ('/v1/messages',)"),
        ("terminal_event_host", "https://api.example.com", "got 'https://api.example.com'"),
        ("terminal_event_host", "api.example.com/v1", "got 'api.example.com/v1'"),
        ("client_options", "key", "got 'key'"),
    ],
)
def test_attribute_that_is_missing_or_not_allowed_is_named(attribute: str, given: Any, text: str) -> None:
    kind = declare(**{attribute: given})
    with pytest.raises(l0.PolicyError) as raised:
        kind()
    assert str(raised.value).startswith(f"l0_declared.Declared.{attribute}: {text}, allowed: ")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("path", "did you mean paths? "),
        ("terminal_event_hosts", "did you mean terminal_event_host? "),
        ("timeout_s", ""),
    ],
)
def test_unknown_attribute_is_named_with_the_one_that_may_be_meant(name: str, meant: str) -> None:
    with pytest.raises(l0.PolicyError) as raised:
        declare(**{name: "given"})()
    assert str(raised.value).startswith(f"l0_declared.Declared.{name}: got 'given', allowed: {meant}one of ")
    assert "provider_name" in str(raised.value)


@pytest.mark.parametrize(
    ("former", "new", "value"),
    [("host", "terminal_event_host", "api.example.com"), ("supported", "supported_versions", ">= 2")],
)
def test_former_name_of_an_attribute_works_with_a_warning(former: str, new: str, value: str) -> None:
    with pytest.warns(DeprecationWarning, match=rf"Declared\.{former} is now {new}$") as caught:
        declared = declare(**{new: ..., former: value})
    declared.check_attributes()
    assert getattr(declared, new) == value
    assert caught[0].filename == __file__


def test_unknown_attribute_of_a_base_class_is_named() -> None:
    base = declare("Base", hosts=("a",))
    with pytest.raises(l0.PolicyError, match=r"Derived\.hosts: got"):
        type("Derived", (base,), {"__module__": "l0_declared"})()


def test_error_of_a_class_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = _write_package(tmp_path, monkeypatch, "l0_placed", SOURCE_WITHOUT_PATHS).Placed
    with pytest.raises(l0.PolicyError) as raised:
        kind()
    assert raised.value.__notes__ == [f"the class is at {tmp_path / 'l0_placed.py'}:4"]


def test_ignored_package_has_the_place_of_its_class(
    entry_points: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_package(tmp_path, monkeypatch, "l0_placed", SOURCE_WITHOUT_PATHS)
    entry_points["l0_placed"] = "l0_placed:Placed"
    (warning,) = warnings_of_instrument()
    assert warning.startswith("l0 ignores the entry point l0_placed: PolicyError: l0_placed.Placed.paths: got nothing")
    assert warning.endswith(f" at {tmp_path / 'l0_placed.py'}:4")


@pytest.mark.parametrize("imported", [True, False])
def test_sdk_that_stainless_did_not_generate_is_refused_with_one_warning(
    add_declared: AddDeclared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imported: bool
) -> None:
    add_declared("l0_own", declare(sdk_name="own_sdk", distribution="own-sdk"))
    _install_sdk(tmp_path, monkeypatch)
    if imported:
        import_module("own_sdk")
    (warning,) = warnings_of_instrument()
    assert warning == (
        "l0 does not patch own-sdk 1.2: it has no module own_sdk._base_client, so Stainless did not generate it"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        import_module("own_sdk")
    assert is_patched()


def test_package_of_another_distribution_is_left_alone_without_a_warning(
    add_declared: AddDeclared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_declared("l0_own", declare(sdk_name="own_sdk", distribution="not-installed"))
    _install_sdk(tmp_path, monkeypatch)
    assert warnings_of_instrument() == []


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"supported_versions": "~= 1.60"},
        {"supported_versions": ">=1.60,!=2.0,<4"},
        {"paths": ("https://api.example.com/v1/responses", "chat/completions")},
        {"terminal_event_host": "api.example.com"},
        {"client_options": {}},
        {"_own": "any"},
        {"own_method": lambda _: "any"},
        {"own_property": property(lambda _: "any")},
    ],
)
def test_attributes_that_are_allowed(attributes: dict[str, Any]) -> None:
    declare(**attributes)()


def test_built_in_classes_are_valid() -> None:
    instrumentors, problems = discovery.load_providers()
    assert problems == []
    assert len(instrumentors) == len(discovery._BUILT_IN)


@pytest.fixture
def entry_points(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The entry points of provider packages: that of openai, and what a test adds."""
    places = {"l0_openai": "l0_openai:OpenAIInstrumentor"}
    monkeypatch.setattr(discovery, "providers", lambda: places)
    return places


@pytest.fixture
def add_declared(entry_points: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AddDeclared:
    """Return a function that adds an entry point by this name, whose value is a class of `declare`."""

    def add(name: str, declared: type[OpenAiApiInstrumentor]) -> None:
        module = ModuleType("l0_declared")
        vars(module)["Declared"] = declared
        monkeypatch.setitem(sys.modules, "l0_declared", module)
        entry_points[name] = "l0_declared:Declared"

    return add


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("from l0.nowhere import Nothing", "ModuleNotFoundError: No module named 'l0.nowhere' at "),
        ("raise RuntimeError('key-123')", "RuntimeError at "),
        ("Broken = int", "PolicyError: l0_broken:Broken: got <class 'int'>, allowed: a subclass of OpenAi"),
        ("", "AttributeError: module 'l0_broken' has no attribute 'Broken' at "),
    ],
)
def test_broken_package_is_ignored_with_one_warning(
    entry_points: dict[str, str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    (tmp_path / "l0_broken.py").write_text(source, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry_points["l0_broken"] = "l0_broken:Broken"
    try:
        (warning,) = warnings_of_instrument()
    finally:
        sys.modules.pop("l0_broken", None)
    assert warning.startswith(f"l0 ignores the entry point l0_broken: {reason}")
    assert "key-123" not in warning
    assert is_patched()


def test_two_entry_points_for_one_sdk_are_reported(add_declared: AddDeclared) -> None:
    declared = declare()
    add_declared("l0_zzz", declared)
    for _ in range(2):
        (warning,) = warnings_of_instrument()
        assert warning.startswith("l0 ignores the entry point l0_openai of l0-otel ")
        assert warning.endswith(": the entry point l0_zzz is for the same SDK, openai")
        assert declared().is_instrumented_by_opentelemetry


def test_uninstrument_restores_an_sdk_whose_class_has_no_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "providers", dict)
    declare()().instrument()
    assert is_patched()
    l0.uninstrument()
    assert not is_patched()


def test_class_of_the_program_replaces_that_of_a_package(entry_points: dict[str, str]) -> None:
    l0.instrument()
    declared = declare()()
    with pytest.warns(RuntimeWarning) as warned:
        declared.instrument()
    (warning,) = warned
    assert str(warning.message) == (
        "l0_declared.Declared replaces the patches of l0_openai.instrumentor.OpenAIInstrumentor: "
        "only one class can patch openai"
    )
    assert warnings_of_instrument() == []  # the class of the program stays
    assert declared.is_instrumented_by_opentelemetry
    assert not OpenAIInstrumentor().is_instrumented_by_opentelemetry
    l0.uninstrument()
    assert not is_patched()


def test_class_that_is_defined_again_replaces_itself_silently() -> None:
    """As in a notebook, whose cell runs a second time."""
    first, second = declare(), declare()
    first().instrument()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        second().instrument()
    assert warned == []
    assert not first().is_instrumented_by_opentelemetry
    assert second().is_instrumented_by_opentelemetry
    l0.uninstrument()
    assert not is_patched()


def test_subclass_of_a_used_class_has_its_own_instance() -> None:
    base = declare()
    used = base()
    derived = type("Derived", (base,), {"terminal_event_host": "api.example.com"})
    assert derived() is not used
    assert type(derived()) is derived
