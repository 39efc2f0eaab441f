"""The objects, streams and clients of botocore are its own, whether l0 is on or off."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from faults_kit import difference

import l0
from l0.cli.doctor import doctor
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.faults import Fault

botocore = pytest.importorskip("botocore", reason="boto3 is not installed: run make test-providers")
from bedrock_kit import CONVERSE, INVOKE, MODEL, WHOLE, BedrockStage, apis, stream_of, text_of  # noqa: E402 - the SDK
from botocore.client import BaseClient  # noqa: E402 - it is the SDK
from botocore.endpoint import Endpoint  # noqa: E402 - it is the SDK
from botocore.eventstream import EventStream  # noqa: E402 - it is the SDK

from l0_bedrock import BedrockInstrumentor  # noqa: E402 - it needs the SDK

CALL = SimulatedToolCall(name="weather", arguments='{"city": "Oslo", "days": 3}')
ANSWERS = {
    "text": Answer(text="Olá! The sea is salt, because rivers carry it."),
    "reasoning": Answer(reasoning="First I think.", text="Then I answer."),
    "tool calls": Answer(text="Let me look.", tool_calls=(CALL, CALL)),
    "stopped by length": Answer(text="It goes on and", stop="length"),
    "refusal": Answer(refusal="I cannot say that."),
    "300 tokens": Answer(tokens=300),
}


@contextmanager
def switched_on(stage: BedrockStage) -> Iterator[None]:
    stage.on()
    yield
    l0.uninstrument()


@apis
@pytest.mark.parametrize("name", ANSWERS)
def test_streamed_events_are_those_of_the_sdk(stage: BedrockStage, api: str, name: str) -> None:
    bare = stage.call(api=api, answer=ANSWERS[name])
    with switched_on(stage):
        seen = stage.call(api=api, answer=ANSWERS[name])
    assert (bare.error, seen.error) == (None, None)
    assert bare.chunks
    assert difference(_without_ids(seen.chunks), _without_ids(bare.chunks)) is None
    assert seen.span is not None
    assert (seen.requests, seen.spans, seen.span["l0.outcome"]) == (1, 1, "ok")


def _without_ids(chunks: list[Any]) -> Any:
    """Return the chunks without the ids of tool calls, which differ per request."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: None if name in ("id", "toolUseId") else cleaned(held) for name, held in value.items()}
        return [cleaned(held) for held in value] if isinstance(value, list) else value

    return cleaned(chunks)


@pytest.mark.parametrize("name", ANSWERS)
def test_complete_answers_are_those_of_the_sdk(stage: BedrockStage, name: str) -> None:
    got = []
    for on in (False, True):
        if on:
            stage.on()
        stage.sim.reset()
        stage.exporter.clear()
        stage.sim.script(ANSWERS[name])
        got.append(stage.retrying.converse(**CONVERSE))
    l0.uninstrument()
    assert [answer.pop("ResponseMetadata")["RetryAttempts"] for answer in got] == [0, 0]
    assert difference(_without_ids(got[1]), _without_ids(got[0])) is None
    (span,) = stage.exporter.get_finished_spans()
    assert span.name == f"chat {MODEL}"


@apis
@pytest.mark.usefixtures("on")
def test_response_is_the_one_of_botocore(stage: BedrockStage, api: str) -> None:
    stage.sim.reset()
    stage.sim.script(Fault.status(503))
    if api == "converse":
        response, field = stage.retrying.converse_stream(**CONVERSE), "stream"
    else:
        response, field = stage.retrying.invoke_model_with_response_stream(**INVOKE), "body"
    assert type(response[field]) is EventStream
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert response["ResponseMetadata"]["RetryAttempts"] == 1
    assert response["ResponseMetadata"]["RequestId"]
    assert len(list(response[field])) > 10
    assert list(response[field]) == []  # as with the bare SDK, a stream can be read once


@pytest.mark.usefixtures("on")
def test_complete_answer_is_retried_after_a_failure(stage: BedrockStage) -> None:
    for fault in (Fault.status(503), Fault.status(429), Fault.html(), Fault.empty(), Fault.json_error(), Fault.cut()):
        stage.sim.reset()
        stage.exporter.clear()
        stage.sim.script(fault)
        answer = stage.retrying.converse(**CONVERSE)
        assert answer["output"]["message"]["content"] == [{"text": WHOLE}]
        assert len(stage.sim.requests) == 2
        assert stage.spans()[0]["l0.outcome"] == "recovered_retry"


@pytest.mark.usefixtures("on")
def test_complete_answer_that_is_none_is_an_error_of_the_sdk(stage: BedrockStage) -> None:
    stage.sim.reset()
    stage.sim.script(*[Fault.json_error()] * 3)
    with pytest.raises(botocore.exceptions.BotoCoreError):
        stage.retrying.converse(**CONVERSE)
    assert len(stage.sim.requests) == 3


@pytest.mark.usefixtures("on")
def test_errors_are_of_the_classes_of_the_client(stage: BedrockStage) -> None:
    stage.sim.reset()
    stage.sim.script(*[Fault.status(429)] * 3, Fault.status(403))
    with pytest.raises(stage.retrying.exceptions.ThrottlingException) as throttled:
        stage.retrying.converse(**CONVERSE)
    assert len(stage.sim.requests) == 3
    assert throttled.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    with pytest.raises(stage.retrying.exceptions.AccessDeniedException):
        stage.retrying.converse_stream(**CONVERSE)
    assert len(stage.sim.requests) == 4


@pytest.mark.usefixtures("on")
def test_parameters_that_botocore_refuses_are_not_sent(stage: BedrockStage) -> None:
    stage.sim.reset()
    with pytest.raises(botocore.exceptions.ParamValidationError):
        stage.retrying.converse_stream(modelId=MODEL, messages="hi")
    assert stage.sim.requests == []


@pytest.mark.usefixtures("on")
def test_other_requests_pass_through(stage: BedrockStage) -> None:
    body = json.loads(INVOKE["body"])
    file = INVOKE | {"body": BytesIO(INVOKE["body"].encode())}
    stage.sim.reset()
    stage.exporter.clear()
    complete = stage.plain.invoke_model(**INVOKE)
    assert json.loads(complete["body"].read())["content"] == [{"type": "text", "text": WHOLE}]
    assert list(stage.plain.invoke_model_with_response_stream(**file)["body"])
    with pytest.raises(stage.plain.exceptions.ValidationException):  # another model's format, which is not simulated
        stage.plain.invoke_model_with_response_stream(modelId=MODEL, body=json.dumps({"inputText": body["messages"]}))
    assert len(stage.sim.requests) == 3
    assert stage.spans() == []


def test_doctor_reports_that_botocore_is_patched() -> None:
    """In a separate process, in which nothing has imported boto3 yet."""
    script = "import sys; from l0.cli.main import main; sys.exit(main(['doctor']))"
    report = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert f"botocore {botocore.__version__}: patched" in report.stdout


def test_doctor_reports_a_version_that_is_not_supported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(BedrockInstrumentor, "supported_versions", ">= 99")
    assert doctor() == 1
    report = capsys.readouterr().out
    assert f"! botocore {botocore.__version__}: not patched; its calls run without l0 (l0 does not patch" in report


@apis
def test_stream_opened_before_uninstrument_is_read_to_its_end(stage: BedrockStage, api: str) -> None:
    stage.on()
    stage.sim.reset()
    stream = stream_of(stage.retrying, api)
    l0.uninstrument()
    assert len(list(stream)) > 10


def test_uninstrument_restores_the_sdk(stage: BedrockStage) -> None:
    places = ((BaseClient, "_make_api_call"), (Endpoint, "make_request"))
    before = [vars(kind)[name] for kind, name in places]
    stage.on()
    assert all(vars(kind)[name] is not function for (kind, name), function in zip(places, before, strict=True))
    l0.uninstrument()
    assert [vars(kind)[name] for kind, name in places] == before
    assert text_of(stage.call().chunks) == WHOLE
