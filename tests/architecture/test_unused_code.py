"""Every definition is used. vulture finds names that no code of the repository uses; each has a reason here."""

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("vulture", reason="vulture is not installed: `make setup` installs the extra `lint`")
from vulture import Vulture

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = [ROOT / package for package in ("src", "instrumentation", "benchmarks", "scripts")]


class Unused(NamedTuple):
    """A finding of vulture."""

    file: str
    line: int
    name: str
    message: str


class Use(NamedTuple):
    """The reason why names are used although no code of the repository names them. File and names are patterns."""

    file: str
    names: str
    reason: str


USES = (
    Use("instrumentation/l0_compatible/declared_sdks.py", "*Instrumentor", "entry points name them"),
    Use("src/l0/*", "__getattr__", "Python calls it for names that a module resolves when they are used"),
    Use("src/l0/__init__.py", "__signature__", "inspect reads it for the parameters of l0(...)"),
    Use("instrumentation/l0_google_genai/calls.py", "*request*", "`WrappedPatches` finds them by name"),
    Use("instrumentation/l0_bedrock/bedrock_calls.py", "_make_api_call", "`WrappedPatches` finds it by name"),
    Use("instrumentation/l0_bedrock/bedrock_calls.py", "_event_generator", "botocore's `EventStream` reads it"),
    Use("src/l0/backtest/attempt_pool.py", "hour", "a field of AttemptGroup: groups are compared as a whole"),
    Use(
        "src/l0/model/call_events.py",
        "*_tokens",
        "fields of ResponseMetadata: `observer_notifier` adds them up by name",
    ),
    Use("src/l0/cli/output_console.py", "on_broken_pipe", "rich calls it"),
    Use("src/l0/migration.py", "*", "names of L0 for Python: programs that come from it use them"),
    Use(
        "src/l0/model/policy.py",
        "*",
        "fields of ErrorTypeDelays: `error_type_delay` reads them by the name of the type",
    ),
    Use("src/l0/orchestration/races.py", "derive", "Python calls it for except*"),
    Use("src/l0/model/call_events.py", "pace", "the former name of stream_stats, for one release"),
    Use("src/l0/slo/status_report.py", "standings", "the former name of statuses, for one release"),
    Use("src/l0/orchestration/results.py", "total_duration", "the former name of total_duration_ms, for one release"),
    Use("src/l0/recording/recorded_rows.py", "_", "one function per event: `singledispatchmethod` finds them"),
    Use("src/l0/pytest_plugin/plugin.py", "pytest_*", "hooks of pytest"),
    Use("src/l0/rules/drift/drift_rule.py", "*", "fields of Drift: the rule reads them by the name of the detector"),
    Use("src/l0/rules/guardrails/catalogue.py", "*", "rules and presets: public, and found by name"),
    Use("src/l0/shared_state/slo_history.py", "_replica", "keeps the replica alive: a fleet has a weak reference"),
    Use("src/l0/simulator/faults.py", "*", "constructors of faults: `script_grammar` finds them by name"),
    Use("src/l0/slo/yaml_lines.py", "ignore_aliases", "PyYAML calls it"),
    Use("src/l0/stainless/direct_endpoints.py", "*", "network backends and streams: httpcore and anyio call them"),
    Use("src/l0/stainless/direct_proof.py", "*_elapsed", "older versions of httpx call it"),
    Use("src/l0/stainless/direct_proof.py", "next_pool", "a field of _Outcome: outcomes are compared field by field"),
    Use("src/l0/stainless/patching_loader.py", "__loader__", "Python reads it on a module"),
    Use("src/l0/stainless/sdk_instrumentor.py", "instrumentation_dependencies", "BaseInstrumentor calls it"),
    Use("src/l0/streams/call_options.py", "on_*", "keys of CallArguments: `Callbacks` reads them by name"),
    Use(
        "src/l0/streams/stream_events.py",
        "PROGRESS",
        "the type of progress events, which the adapters of users yield",
    ),
    Use("src/l0/streams/wrap.py", "with_options", "the SDK's method, which the wrapped client has as well"),
    Use("src/l0/viewer/api_contract.py", "*", "fields of the JSON API: the page and scripts read them by name"),
    Use("src/l0/viewer/viewer_server.py", "should_exit", "uvicorn reads it"),
    Use("*", "exc_type", "a parameter of __exit__: the with statement passes it by position"),
    Use("*", "itself", "the reference cycle that only the garbage collector ends"),
    Use("benchmarks/variants.py", "*", "parameters of OpenTelemetry's MetricExporter, passed by keyword"),
    Use("tests/server_time.py", "start_clock", "trio calls it"),
    Use("tests/server_time.py", "deadline_to_sleep_time", "trio calls it"),
    Use("tests/*", "pytestmark", "pytest reads it"),
    Use("tests/*", "pytest_*", "hooks of pytest"),
    Use("tests/*", "collect_ignore_glob", "pytest reads it"),
    Use("tests/*", "*_fixture", "a fixture, which a test takes as a parameter"),
    Use("tests/*", "do_GET", "http.server calls it"),
    Use("tests/*", "log_message", "http.server calls it"),
    Use("tests/*", "suppress_debug_info", "litellm reads it"),
    Use("tests/faults/print_matrix.py", "INITIAL_RETRY_DELAY", "the SDKs read it"),
    Use("tests/proxies/run_proxies.py", "INITIAL_RETRY_DELAY", "the SDKs read it"),
    Use("tests/faults/test_http2_bounds.py", "showwarning", "warnings.warn calls it"),
    Use("tests/journeys/finalizer_storm.py", "_at_fork_reinit", "threading calls it on its locks after a fork"),
    Use("tests/journeys/aws_stubs.py", "*", "stands in for botocore and boto3: the SDKs import and call it"),
    Use("tests/journeys/origins_kit.py", "force_refresh", "a parameter of the SDKs' token provider"),
    Use("tests/journeys/origins_kit.py", "project_id", "the Vertex client reads it on the credentials"),
    Use("tests/journeys/origins_kit.py", "protocol_version", "http.server reads it"),
    Use("tests/journeys/origins_kit.py", "close_connection", "http.server reads it"),
    Use(
        "tests/journeys/otel_suites/otel_suite_plugin.py", "HTTPXClientInstrumentor", "OpenTelemetry's suites import it"
    ),
    Use("tests/journeys/otel_suites/their_helpers.py", "*", "OpenTelemetry's suites import them by name"),
    Use("tests/journeys/run_programs.py", "wsgi", "gunicorn loads it by name"),
    Use("tests/journeys/served_app.py", "wsgi", "gunicorn loads it by name"),
    Use("tests/journeys/recorded_scenarios.py", "protocol_version", "http.server reads it"),
    Use("tests/journeys/recorded_scenarios.py", "close_connection", "http.server reads it"),
    Use("tests/journeys/recorded_scenarios.py", "daemon_threads", "socketserver reads it"),
    Use("tests/journeys/test_transparent.py", "degrees", "a field of the answer's schema"),
    Use("tests/stateful/world.py", "generate_*_id", "OpenTelemetry's SDK calls them"),
    Use("tests/typing/*", "*", "mypy and pyright check it; nothing runs it"),
    Use("tests/unit/fastpath/*", "wire_name", "a field that the compiled constructor sets by its alias"),
    Use("tests/unit/fastpath/*", "from_", "a key that the compiled transformation renames"),
    Use("tests/unit/fastpath/*", "renamed", "a key that the compiled transformation reads"),
    Use("tests/unit/orchestration/consensus/test_consensus.py", "born", "a field that the consensus compares"),
    Use("tests/unit/rules/guardrails/test_catalogue.py", "f_trace_*", "the interpreter reads them on a frame"),
    Use("tests/unit/pytest_plugin/test_recorded_errors.py", "__suppress_context__", "Python reads it on an exception"),
    Use("tests/unit/streams/test_managers.py", "*", "sources, which a test finds by name"),
    Use("tests/unit/telemetry/test_spans.py", "should_sample", "OpenTelemetry's SDK calls it"),
    Use("tests/unit/telemetry/test_spans.py", "get_description", "OpenTelemetry's SDK calls it"),
    Use("scripts/site_hooks.py", "on_*", "mkdocs calls hooks by name"),
)
REGISTERED = ["@pytest.fixture", "@app.*", "@*.field_validator", "@rule", "@invariant", "@precondition"]
"""Decorators that register what they decorate."""
STATE_MACHINE = ["teardown"]
"""Methods that hypothesis calls on a state machine."""


def finder() -> Vulture:
    return Vulture(ignore_decorators=REGISTERED, ignore_names=STATE_MACHINE)


def findings(of: Vulture) -> list[Unused]:
    """Return the names that nothing uses in all files read so far."""
    return [
        Unused(_relative(item.filename), item.first_lineno, item.name, item.message) for item in of.get_unused_code()
    ]


def _relative(file: Path) -> str:
    return file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else file.name


@cache
def unused() -> tuple[list[Unused], list[Unused]]:
    """Return the findings in production code without, and in all code with, the uses by tests. Both in one reading."""
    code = finder()
    code.scavenge([str(path) for path in PRODUCTION])
    without_tests = findings(code)
    code.scavenge([str(ROOT / "tests")])
    return without_tests, findings(code)


def unexplained(found: Iterable[Unused]) -> list[str]:
    return [
        f"{item.file}:{item.line}: {item.message}"
        for item in found
        if not any(fnmatch(item.file, use.file) and fnmatch(item.name, use.names) for use in USES)
    ]


def test_finder_finds_unused_functions_and_unreachable_code(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text("def called():\n    return 1\n    print()\n\n\ndef idle():\n    called()\n")
    code = finder()
    code.scavenge([str(sample)])
    assert unexplained(findings(code)) == [
        "sample.py:3: unreachable code after 'return'",
        "sample.py:6: unused function 'idle'",
    ]


def test_every_definition_is_used() -> None:
    assert unexplained(unused()[1]) == []


def test_production_code_that_only_tests_use_is_documented() -> None:
    pages = " ".join(file.read_text() for file in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    documented = set(re.findall(r"\w+", pages))
    assert unexplained(item for item in unused()[0] if item.name not in documented) == []


def test_every_reason_explains_a_finding() -> None:
    found = {item for some in unused() for item in some}
    stale = [
        use for use in USES if not any(fnmatch(item.file, use.file) and fnmatch(item.name, use.names) for item in found)
    ]
    assert stale == []
