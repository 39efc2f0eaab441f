"""Log lines in an application: on stderr without a set-up, in formatters, beside traces, and with parts that fail."""

import inspect
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import pytest
from journeys_kit import CHATTING, Spans, chat_client

import l0
from l0.runtime.finalizers import LATER
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.telemetry.call_log import CALL_LOG
from l0.telemetry.log_rate_limiter import LINES, LogRateLimiter

DOWN = Fault.status(503)
STORM = 200
PROGRAM = """
import logging, sys
import openai
import l0

l0.instrument()
log = logging.getLogger("l0")
client = openai.OpenAI(api_key="k", base_url=sys.argv[1], max_retries=0)

def ask(client):
    try:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    except openai.APIError:
        pass

ask(client.with_options(max_retries=1))
log.addHandler(silent := logging.NullHandler())
ask(client)
log.removeHandler(silent)
log.setLevel("CRITICAL")
ask(client)
log.setLevel("NOTSET")
log.disabled = True
ask(client)
log.disabled = False
print("silenced", file=sys.stderr)
for _ in range(8):
    ask(client)
"""
TEXT = (
    "openai chat gpt-4o: failed after 1 attempt: unavailable status 503 server_error: the provider is not available "
    "(InternalServerError); no further attempt: max_retries is 0"
)


KNOWN = {*vars(logging.makeLogRecord({})), "message", "asctime"}


class Json(logging.Formatter):
    """A usual JSON formatter: it adds every attribute of the record that `logging` does not set itself."""

    def format(self, record: logging.LogRecord) -> str:
        added = {name: value for name, value in vars(record).items() if name not in KNOWN}
        return json.dumps({"message": record.getMessage(), "level": record.levelname, **added})


class Lines(logging.Handler):
    """Keeps the formatted lines of logger ``l0``."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(Json())
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CALL_LOG, "_rate_limiter", LogRateLimiter())


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    handler, logger = Lines(), logging.getLogger("l0")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)


def ask(sim: Simulator, **more: Any) -> None:
    with suppress(openai.APIError):
        chat_client(sim, max_retries=0).chat.completions.create(**CHATTING, **more)


def test_lines_on_stderr_without_any_setup(sim: Simulator) -> None:
    """Python's last-resort handler writes warnings only: a few failures, and a count of the others at the end."""
    sim.script(DOWN, None, *[DOWN] * 11)
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, sim.openai], capture_output=True, text=True, timeout=120, check=True
    )
    assert len(sim.requests) == 13
    *said, summary = ended.stderr.splitlines()
    # The one for the NullHandler counts as written.
    assert said == ["silenced", *[TEXT] * (LINES - 1)]
    assert re.fullmatch(r"\.\.\. and 4 more within \d+ s: failed \(unavailable\): openai gpt-4o 4", summary)


def test_storm_is_a_few_lines(sim: Simulator, lines: list[dict[str, Any]]) -> None:
    l0.instrument()
    sim.script(*[DOWN] * STORM)
    client = chat_client(sim, max_retries=0)
    for _ in range(STORM):
        with suppress(openai.APIError):
            client.chat.completions.create(**CHATTING)
    CALL_LOG.flush()
    assert len(sim.requests) == STORM
    assert sum(line.get("l0_count", 1) for line in lines) == STORM
    assert len(lines) < 30


def test_records_name_the_line_of_the_program(sim: Simulator, lines: list[dict[str, Any]]) -> None:
    handler = next(one for one in logging.getLogger("l0").handlers if isinstance(one, Lines))
    handler.setFormatter(logging.Formatter('{"message": "%(pathname)s %(lineno)d"}'))
    l0.instrument()
    sim.script(DOWN)
    ask(sim)
    line = inspect.getsourcelines(ask)[1] + 2
    assert [one["message"] for one in lines] == [f"{__file__} {line}"]


def logged(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_file_gets_every_line_of_a_storm(sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L0_LOG", str(file := tmp_path / "l0.jsonl"))
    l0.instrument()
    sim.script(*[DOWN] * 20)
    with Spans().tracer.start_as_current_span("request") as span:
        for _ in range(20):
            ask(sim)
    written = logged(file)
    assert [line["l0_event"] for line in written] == ["failed"] * 20
    first = written[0]
    assert datetime.fromisoformat(first.pop("time")).tzinfo is UTC
    assert (first.pop("level"), first.pop("pid")) == ("WARNING", os.getpid())
    assert first["message"] == TEXT
    assert first["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    l0.uninstrument()
    monkeypatch.delenv("L0_LOG")
    l0.instrument()
    sim.script(DOWN)
    ask(sim)
    assert len(logged(file)) == 20


def test_file_gets_every_attempt_also_if_the_logger_is_off(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("L0_LOG", str(file := tmp_path / "l0.jsonl"))
    monkeypatch.setattr(logging.getLogger("l0"), "disabled", True)
    l0.instrument(l0.Policy(retry=l0.Retry(max_retries=1, base_delay=0)))
    sim.script(DOWN, None)
    ask(sim)
    assert [(line["level"], line["l0_event"]) for line in logged(file)] == [("DEBUG", "retry"), ("INFO", "recovered")]


def test_file_that_cannot_be_written_is_one_warning(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[dict[str, Any]]
) -> None:
    monkeypatch.setenv("L0_LOG", str(tmp_path))
    l0.instrument()
    sim.script(DOWN, DOWN)
    ask(sim)
    ask(sim)
    messages = [line["message"] for line in lines]
    assert messages == [f"L0_LOG: {tmp_path} cannot be written: Is a directory", TEXT, TEXT]


def test_fields_of_a_failure(sim: Simulator, lines: list[dict[str, Any]]) -> None:
    l0.instrument(l0.Policy(retry=l0.Retry(max_retries=1, base_delay=0)))
    sim.script(DOWN, DOWN)
    ask(sim)
    first, last = lines
    ids = first.pop("l0_request_id"), last.pop("l0_request_id")
    assert all(ids)
    assert len(set(ids)) == 2
    assert last.pop("l0_duration_seconds") > 0
    assert last.pop("message").startswith("openai chat gpt-4o: failed after 2 attempts: unavailable status 503")
    common = {"l0_provider": "openai", "l0_model": "gpt-4o", "l0_operation": "chat", "l0_cause": "unavailable"}
    assert last == common | {
        "level": "WARNING",
        "l0_event": "failed",
        "l0_attempts": 2,
        "l0_outcome": "failed",
        "l0_reason": "all retries are used (Retry.max_retries=1)",
        "l0_policy_field": "Retry.max_retries",
    }
    assert first == common | {
        "level": "DEBUG",
        "message": first["message"],
        "l0_event": "retry",
        "l0_attempt": 1,
        "l0_reason": "the provider is not available",
        "l0_wait_seconds": 0.0,
    }


def test_fields_of_a_recovery_count_the_tokens_of_the_failed_attempt(
    sim: Simulator, lines: list[dict[str, Any]]
) -> None:
    import anthropic

    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0), truncation="strict"))
    sim.script(Fault.cut(at_event=1))
    with anthropic.Anthropic(api_key="k", base_url=sim.anthropic) as client:
        messages: Any = [{"role": "user", "content": "hi"}]
        for _ in client.messages.create(model="claude-test", max_tokens=4096, messages=messages, stream=True):
            pass
    line = lines[-1]
    assert line["l0_wasted_tokens"] > 0
    assert line["message"].endswith(f" s, {line['l0_wasted_tokens']} tokens")
    assert (line["level"], line["l0_event"], line["l0_outcome"]) == ("INFO", "recovered", "recovered_retry")
    assert (line["l0_provider"], line["l0_attempts"], line["l0_cause"]) == ("anthropic", 2, "incomplete_read")
    assert line["l0_lost_seconds"] > 0


def test_lines_carry_the_ids_of_the_calls_span(sim: Simulator, spans: Spans, lines: list[dict[str, Any]]) -> None:
    sim.script(DOWN)
    ask(sim)
    context = spans.only.context
    assert context is not None
    assert [(line["trace_id"], line["span_id"]) for line in lines] == [
        (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    ]


def test_lines_without_a_tracer_carry_the_ids_of_the_applications_span(
    sim: Simulator, lines: list[dict[str, Any]]
) -> None:
    l0.instrument()
    sim.script(DOWN, DOWN)
    ask(sim)
    with Spans().tracer.start_as_current_span("request") as span:
        ask(sim)
    without, inside = lines
    assert "trace_id" not in without
    assert inside["span_id"] == f"{span.get_span_context().span_id:016x}"


def test_record_factory_of_the_application_keeps_its_names(
    sim: Simulator, lines: list[dict[str, Any]], spans: Spans
) -> None:
    made = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = made(*args, **kwargs)
        record.trace_id = "its own"
        return record

    logging.setLogRecordFactory(factory)
    try:
        sim.script(DOWN)
        ask(sim)
    finally:
        logging.setLogRecordFactory(made)
    assert [line["trace_id"] for line in lines] == ["its own"]


class _Broken(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("the disk is full")


def test_handler_that_raises_does_not_change_the_call(sim: Simulator) -> None:
    l0.instrument()
    handler = _Broken()
    logging.getLogger("l0").addHandler(handler)
    try:
        sim.script(DOWN)
        with pytest.raises(openai.InternalServerError):
            chat_client(sim, max_retries=0).chat.completions.create(**CHATTING)
    finally:
        logging.getLogger("l0").removeHandler(handler)


def test_model_name_cannot_forge_a_line(sim: Simulator, lines: list[dict[str, Any]]) -> None:
    l0.instrument()
    sim.script(DOWN)
    with suppress(openai.APIError):
        chat_client(sim, max_retries=0).chat.completions.create(
            model="m\nERROR forged\x1b[31m" + "m" * 500, messages=CHATTING["messages"]
        )
    (line,) = lines
    assert line["message"].isprintable()
    assert len(line["l0_model"]) == 128


def test_call_of_the_explicit_api_is_logged_once(sim: Simulator, lines: list[dict[str, Any]]) -> None:
    """The engine in the SDK leaves its failures to the call that retries them."""
    l0.instrument()
    client = chat_client(sim)
    sim.script(Fault.cut(at_event=1))
    answer = l0.run_sync(
        lambda: client.chat.completions.create(**CHATTING, stream=True), retry=l0.Retry(base_delay=0, max_retries=3)
    )
    answer.read()
    LATER.finish()
    assert [(line["level"], line["l0_event"]) for line in lines] == [("DEBUG", "retry"), ("INFO", "recovered")]


def _formatters() -> dict[str, Any]:
    """Formatters of other libraries, each set up as its documentation shows."""
    import structlog
    from pythonjsonlogger.json import JsonFormatter

    structured = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ],
    )
    return {"structlog": structured, "python-json-logger": JsonFormatter("%(message)s")}


@pytest.mark.parametrize("name", ["structlog", "python-json-logger"])
def test_fields_reach_the_formatters_of_other_libraries(sim: Simulator, lines: list[dict[str, Any]], name: str) -> None:
    pytest.importorskip("structlog", reason="needs structlog: make setup")
    pytest.importorskip("pythonjsonlogger", reason="needs python-json-logger: make setup")
    (handler,) = [one for one in logging.getLogger("l0").handlers if isinstance(one, Lines)]
    l0.instrument(l0.Policy(retry=l0.Retry(max_retries=1, base_delay=0)))
    plain = []
    for formatter in (handler.formatter, _formatters()[name]):
        handler.setFormatter(formatter)
        sim.reset()
        sim.script(DOWN, None, DOWN, DOWN)
        ask(sim)
        with Spans().tracer.start_as_current_span("request"):
            ask(sim)
        plain.append([{key: value for key, value in line.items() if key != "level"} for line in lines])
        lines.clear()
    expected, found = plain
    assert [line["l0_event"] for line in found] == ["retry", "recovered", "retry", "failed"]
    varying = {"l0_request_id", "l0_lost_seconds", "l0_duration_seconds", "trace_id", "span_id", "message"}
    for one, other in zip(expected, found, strict=True):
        assert set(one) == set(other)
        assert {key: one[key] for key in set(one) - varying} == {key: other[key] for key in set(one) - varying}
    assert "trace_id" in found[-1]


def test_sentry_turns_the_lines_into_breadcrumbs(
    sim: Simulator, lines: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sentry = pytest.importorskip("sentry_sdk", reason="needs sentry-sdk: make setup")
    from sentry_sdk.integrations.logging import LoggingIntegration

    monkeypatch.setattr(logging.Logger, "callHandlers", logging.Logger.callHandlers)  # Sentry replaces it
    events: list[Any] = []
    sentry.init(
        "http://key@127.0.0.1:9/1",
        default_integrations=False,
        integrations=[LoggingIntegration()],
        before_send=lambda event, hint: events.append(event),  # and drops it
        auto_session_tracking=False,
    )
    try:
        l0.instrument(l0.Policy(retry=l0.Retry(max_retries=1, base_delay=0)))
        sim.script(DOWN, None, DOWN, DOWN)
        ask(sim)
        ask(sim)
        sentry.capture_message("now")
    finally:
        sentry.get_client().close()
        sentry.get_global_scope().set_client(None)
    (event,) = events
    crumbs = [crumb for crumb in event["breadcrumbs"]["values"] if crumb["category"] == "l0"]
    assert [(crumb["level"], crumb["data"]["l0_event"]) for crumb in crumbs] == [
        ("info", "recovered"),
        ("warning", "failed"),
    ]
