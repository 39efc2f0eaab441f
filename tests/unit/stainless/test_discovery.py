"""`instrument()` warns once and patches nothing if an SDK is missing, too old, or not as expected."""

import importlib
import inspect
import logging
import sys
import threading
import warnings

import anthropic
import openai
import pytest
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

import l0
from l0.config import CONFIG
from l0.stainless import discovery, post_imports, sdk_instrumentor
from l0_openai import OpenAIInstrumentor

OPENAI, ANTHROPIC = openai._base_client.SyncAPIClient, anthropic._base_client.SyncAPIClient


@pytest.fixture
def warnings_of(caplog):
    """Switches on, and gives the warnings: all of them at the line of the call, and none in the log."""

    def switch_on(**options):
        with caplog.at_level(logging.WARNING, "l0"), warnings.catch_warnings(record=True, action="always") as found:
            l0.instrument(**options)
            line = inspect.currentframe().f_lineno - 1
        assert {(one.filename, one.lineno, one.category) for one in found} <= {(__file__, line, RuntimeWarning)}
        assert [record for record in caplog.records if record.name == "l0"] == []
        return [str(one.message) for one in found]

    yield switch_on
    l0.uninstrument()


def is_patched(owner):
    return hasattr(owner.__dict__["request"], "__wrapped__")


def test_both_providers_are_found_by_entry_point():
    names = list(discovery.providers())
    assert {"l0_anthropic", "l0_openai"} < set(names)
    assert names == sorted(name for name in names if name.startswith("l0_"))


def test_instrumentors_count_as_opentelemetrys():
    assert isinstance(OpenAIInstrumentor(), BaseInstrumentor)
    assert issubclass(OpenAIInstrumentor, BaseInstrumentor)
    assert OpenAIInstrumentor() is OpenAIInstrumentor()


def test_all_is_well(warnings_of):
    assert warnings_of() == []
    assert is_patched(OPENAI)
    assert is_patched(ANTHROPIC)


def test_a_version_outside_the_range_is_left_alone_with_one_warning(warnings_of, monkeypatch):
    monkeypatch.setattr(OpenAIInstrumentor, "supported_versions", ">= 900, < 901")
    (warning,) = warnings_of()
    assert warning == f"l0 does not patch openai {openai.__version__}: supported are openai >= 900, < 901"
    assert not is_patched(OPENAI)
    assert is_patched(ANTHROPIC)


def test_missing_sdk_is_ignored(warnings_of, monkeypatch):
    monkeypatch.setattr(discovery, "importable", lambda name: name != "openai" and post_imports.importable(name))
    assert warnings_of() == []
    assert not is_patched(OPENAI)
    assert is_patched(ANTHROPIC)


def test_an_sdk_of_another_shape_is_left_alone_with_one_warning(warnings_of, monkeypatch):
    monkeypatch.delattr(openai._streaming.AsyncStream, "__stream__")
    (warning,) = warnings_of()
    assert warning.startswith("l0 does not patch openai: its private parts are not as expected")
    assert not is_patched(OPENAI)
    assert is_patched(ANTHROPIC)


def test_a_policy_that_is_none_is_refused_before_anything_is_patched():
    with pytest.raises(l0.PolicyError):
        l0.instrument("interactive")  # type: ignore[arg-type]
    assert not is_patched(OPENAI)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"policy": 42}, "policy"),
        ({"policy": l0.Policy}, "policy"),
        ({"observers": [42]}, "observers"),
        ({"observers": 42}, "observers"),
        ({"direct": "yes"}, "direct"),
        ({"direct": 1}, "direct"),
        ({"timeline": "yes"}, "timeline"),
        ({"timeline": 1}, "timeline"),
        ({"console": "yes"}, "console"),
        ({"summary": 1}, "summary"),
        ({"otlp": 42}, "otlp"),
        ({"otlp": ""}, "otlp"),
        ({"otlp": "localhost:4318"}, "otlp"),
    ],
)
def test_bad_argument_is_refused_and_changes_nothing(options, field):
    switches = {"direct": True, "timeline": True, "console": True, "summary": True}
    before = (CONFIG._default, CONFIG._added, CONFIG._direct, CONFIG._timeline, CONFIG._is_console_on, CONFIG._summary)
    with pytest.raises(l0.PolicyError) as raised:
        l0.instrument(**({"policy": l0.Policy(hold="message")} | switches | options))
    assert raised.value.field == field
    assert not is_patched(OPENAI)
    after = (CONFIG._default, CONFIG._added, CONFIG._direct, CONFIG._timeline, CONFIG._is_console_on, CONFIG._summary)
    assert after == before


class Listener:
    def observe(self, call):
        return None


def test_later_instrument_changes_what_it_is_given_and_keeps_the_rest(warnings_of):
    first, second, listener = l0.Policy(hold="message"), l0.Policy(truncation="off"), Listener()
    warnings_of(policy=first, observers=[listener], direct=True, timeline=True)
    warnings_of()
    assert (CONFIG.policy(), CONFIG._added, CONFIG.direct, CONFIG.timeline) == (first, (listener,), True, True)
    warnings_of(policy=second)
    assert (CONFIG.policy(), CONFIG._added, CONFIG.direct, CONFIG.timeline) == (second, (listener,), True, True)
    warnings_of(observers=[], direct=False, timeline=False)
    assert (CONFIG.policy(), CONFIG._added, CONFIG.direct, CONFIG.timeline) == (second, (), False, False)
    warnings_of(policy=l0.Policy())
    assert CONFIG.policy() == l0.Policy()


def test_console_and_summary_are_kept_by_a_later_instrument_and_ended_by_uninstrument(warnings_of):
    warnings_of(console=True)
    warnings_of(policy=l0.Policy())
    assert CONFIG.console
    warnings_of(console=False, summary=True)
    assert (CONFIG.console, CONFIG.listening) == (False, True)
    l0.uninstrument()
    assert (CONFIG.console, CONFIG._for_all_calls) == (False, ())


def test_uninstrument_forgets_the_policy(warnings_of):
    warnings_of(policy=l0.Policy(truncation="off"))
    l0.uninstrument()
    with l0.policy() as current:
        assert current == l0.Policy()


@pytest.mark.parametrize("shipped", [True, False])
def test_no_sdk_to_patch_warns_at_the_call(warnings_of, monkeypatch, shipped):
    monkeypatch.setattr(discovery, "importable", lambda name: shipped and name.startswith("l0_"))
    with pytest.warns(RuntimeWarning, match="l0 patches nothing: ") as said:
        l0.instrument()
    assert [one.filename for one in said] == [__file__]
    assert not is_patched(OPENAI)


def test_providers_and_versions_need_no_metadata(warnings_of, monkeypatch):
    monkeypatch.setattr(sdk_instrumentor, "version_of", lambda _: None)
    monkeypatch.setattr(discovery, "entry_points_of", lambda *_: {})
    assert discovery.providers() == discovery._BUILT_IN
    assert warnings_of() == []
    assert is_patched(OPENAI)
    assert is_patched(ANTHROPIC)


def test_a_copy_without_metadata_of_a_version_outside_the_range_is_left_alone(warnings_of, monkeypatch):
    monkeypatch.setattr(sdk_instrumentor, "version_of", lambda _: None)
    monkeypatch.setattr(OpenAIInstrumentor, "supported_versions", ">= 900, < 901")
    (warning,) = warnings_of()
    assert warning == f"l0 does not patch openai {openai.__version__}: supported are openai >= 900, < 901"
    assert not is_patched(OPENAI)
    assert is_patched(ANTHROPIC)


REFUSED = f"l0 does not patch openai {openai.__version__}: supported are openai >= 900, < 901"


def outside(monkeypatch):
    monkeypatch.setattr(OpenAIInstrumentor, "supported_versions", ">= 900, < 901")
    return REFUSED


def of_another_shape(monkeypatch):
    monkeypatch.delattr(openai._streaming.AsyncStream, "__stream__")
    return "l0 does not patch openai: its private parts are not as expected"


def without_a_module(monkeypatch):
    monkeypatch.delitem(sys.modules, "openai._streaming")
    return "l0 does not patch openai: its private parts are not as expected (KeyError('openai._streaming'))"


def of_an_odd_version(monkeypatch):
    monkeypatch.setattr(openai, "__version__", "main-3f2a")
    return "l0 does not patch openai"


refusals = pytest.mark.parametrize("refused", [outside, of_another_shape, without_a_module, of_an_odd_version])


@refusals
def test_unpatchable_sdk_warns_at_each_call(warnings_of, monkeypatch, refused):
    message = refused(monkeypatch)
    for _ in range(2):
        (warning,) = warnings_of()
        assert warning.startswith(message)
    assert not is_patched(OPENAI)
    assert is_patched(ANTHROPIC)


@refusals
def test_a_filter_that_raises_stops_the_call_after_all_other_sdks_are_patched(warnings_of, monkeypatch, refused):
    message = refused(monkeypatch)
    with pytest.raises(RuntimeWarning) as raised:
        l0.instrument()
    assert str(raised.value).startswith(message)
    assert is_patched(ANTHROPIC)


@refusals
def test_a_start_without_code_logs_and_warns_and_never_raises(warnings_of, monkeypatch, caplog, refused):
    """As OpenTelemetry's launcher does it, in each of its versions."""
    message = refused(monkeypatch)
    for options in ({}, {"skip_dep_check": True}, {"raise_exception_on_conflict": True}):
        caplog.clear()
        OpenAIInstrumentor().instrument(**options)  # warnings are errors here
        OpenAIInstrumentor().uninstrument()
        with warnings.catch_warnings(record=True, action="always") as found:
            OpenAIInstrumentor().instrument(**options)
        OpenAIInstrumentor().uninstrument()
        assert [one.filename for one in found] == [__file__]
        logged = [record.getMessage() for record in caplog.records if record.name == "l0"]
        assert logged == [str(found[0].message)] * 2
        assert logged[0].startswith(message)
        assert not is_patched(OPENAI)


def test_metadata_of_a_missing_sdk_is_not_searched_for(monkeypatch):
    searched = []
    monkeypatch.setattr(discovery, "version_of", searched.append)
    assert discovery.installed_version("no_such_sdk") is None
    assert searched == []


def test_zero_code_start_ignores_a_missing_sdk(warnings_of, monkeypatch, caplog):
    for attribute in ("sdk_name", "distribution"):
        monkeypatch.setattr(OpenAIInstrumentor, attribute, "no_such_sdk")
    OpenAIInstrumentor().instrument()
    assert not OpenAIInstrumentor().is_instrumented_by_opentelemetry
    assert [record for record in caplog.records if record.name == "l0"] == []


@pytest.mark.parametrize("action", ["always", "error"])
def test_an_sdk_that_cannot_be_patched_when_it_is_imported(warnings_of, monkeypatch, caplog, action):
    """The import of an application must not fail, whatever its filters say."""
    purge(monkeypatch, "openai")
    monkeypatch.setattr(OpenAIInstrumentor, "_version", lambda _: None)  # a copy without metadata
    assert warnings_of() == []
    monkeypatch.undo()
    purge(monkeypatch, "openai")
    monkeypatch.setattr(OpenAIInstrumentor, "supported_versions", ">= 900, < 901")
    with warnings.catch_warnings(record=True, action=action) as found:
        import openai as again
    assert [one.filename for one in found] == [__file__] * (action == "always")
    assert [record.getMessage() for record in caplog.records if record.name == "l0"] == [REFUSED]
    assert not is_patched(again._base_client.SyncAPIClient)


def test_import_does_not_repeat_the_warning_of_the_call(warnings_of, monkeypatch, caplog):
    purge(monkeypatch, "openai")
    monkeypatch.setattr(OpenAIInstrumentor, "supported_versions", ">= 900, < 901")
    assert warnings_of() == [REFUSED]
    importlib.import_module("openai")  # warnings are errors here
    assert [record for record in caplog.records if record.name == "l0"] == []


def test_an_sdk_that_can_be_patched_later_on_is_no_longer_refused(warnings_of, monkeypatch):
    outside(monkeypatch)
    assert warnings_of() == [REFUSED]
    monkeypatch.undo()
    assert warnings_of() == []
    assert is_patched(OPENAI)


def purge(monkeypatch, name):
    for module in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
        monkeypatch.delitem(sys.modules, module)


@pytest.mark.parametrize("first", ["instrument", "import"])
def test_an_sdk_that_is_imported_anew_is_patched_anew_and_both_are_restored(warnings_of, monkeypatch, first):
    assert warnings_of() == []
    purge(monkeypatch, "anthropic")
    if first == "import":  # behind the hooks' back, as by a custom importer
        monkeypatch.setattr(post_imports._FINDER, "callbacks", {})
    again = importlib.import_module("anthropic")._base_client.SyncAPIClient
    assert again is not ANTHROPIC
    assert is_patched(again) == (first == "instrument")
    l0.instrument()
    assert is_patched(again)
    assert is_patched(ANTHROPIC)
    l0.uninstrument()
    assert not is_patched(again)
    assert not is_patched(ANTHROPIC)


def test_an_sdk_that_is_imported_after_uninstrument_stays_as_it_is(warnings_of, monkeypatch):
    warnings_of()
    l0.uninstrument()
    purge(monkeypatch, "anthropic")
    again = importlib.import_module("anthropic")
    assert not is_patched(again._base_client.SyncAPIClient)
    assert type(again.__spec__.loader).__module__.startswith("_frozen_importlib")
    assert post_imports._FINDER not in sys.meta_path


def test_a_module_that_was_hooked_shows_its_own_loader(warnings_of, monkeypatch):
    warnings_of()
    purge(monkeypatch, "anthropic")
    again = importlib.import_module("anthropic")
    assert type(again.__spec__.loader) is type(openai.__spec__.loader)
    assert type(again.__loader__) is type(openai.__loader__)
    assert is_patched(importlib.reload(again)._base_client.SyncAPIClient)


def test_a_reload_of_l0_changes_nothing(warnings_of):
    warnings_of()
    before = OPENAI.__dict__["request"]
    importlib.reload(l0)
    l0.instrument()
    assert OPENAI.__dict__["request"] is before
    l0.uninstrument()
    assert not is_patched(OPENAI)


def test_instrument_in_many_threads_at_once(warnings_of):
    before = OPENAI.__dict__["request"]
    gate, failures = threading.Barrier(8), []

    def switch():
        gate.wait()
        try:
            l0.instrument()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=switch) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failures == []
    assert warnings_of() == []
    assert OPENAI.__dict__["request"].__wrapped__ is before
    l0.uninstrument()
    assert OPENAI.__dict__["request"] is before
