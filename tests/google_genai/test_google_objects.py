"""The objects, chats, tools and clients of google-genai are its own, whether l0 is on or off."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from faults_kit import difference

import l0
from l0.cli.doctor import doctor
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.faults import Fault

genai = pytest.importorskip("google.genai", reason="google-genai is not installed: run make test-providers")
from google.genai import types  # noqa: E402 - it is the SDK
from google_kit import MODEL, PROMPT, GoogleStage, body_from, body_of, flavours, text_of  # noqa: E402

from l0_google_genai import GoogleGenAIInstrumentor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
CALL = SimulatedToolCall(name="weather", arguments='{"city": "Oslo", "days": 3}')
ANSWERS: dict[str, tuple[Answer, int]] = {
    "text": (Answer(text="Olá! The sea is salt, because rivers carry it."), 1),
    "thoughts": (Answer(reasoning="First I think.", text="Then I answer."), 1),
    "two candidates": (Answer(text="One of two."), 2),
    "tool call": (Answer(text="Let me look.", tool_calls=(CALL, CALL)), 1),
    "stopped by length": (Answer(text="It goes on and", stop="length"), 1),
    "refusal": (Answer(refusal="I cannot say that."), 1),
    "300 tokens": (Answer(tokens=300), 1),
}
BLOCKED = b'data: {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}\r\n\r\n'
IMAGE = (
    b'data: {"candidates": [{"content": {"role": "model", "parts": '
    b'[{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}, "finishReason": "STOP"}]}\r\n\r\n'
)


def _bodies() -> dict[str, bytes]:
    made = {name: body_from(answer, choices) for name, (answer, choices) in ANSWERS.items()}
    return made | {"blocked prompt": BLOCKED, "image": IMAGE}


@flavours
@pytest.mark.parametrize("name", _bodies())
def test_streamed_objects_are_those_of_the_sdk(stage: GoogleStage, flavour: str, name: str) -> None:
    body = _bodies()[name]
    bare = stage.call(body, flavour=flavour)
    stage.on()
    seen = stage.call(body, flavour=flavour)
    l0.uninstrument()
    assert (bare.error, seen.error) == (None, None)
    assert bare.chunks
    assert difference(seen.chunks, bare.chunks) is None
    assert seen.span is not None
    assert (seen.requests, seen.spans, seen.span["l0.outcome"]) == (1, 1, "ok")


def _whole(stage: GoogleStage, flavour: str, **more: Any) -> Any:
    models = stage.client(flavour).models if flavour == "sync" else stage.client(flavour).aio.models
    answer = models.generate_content(model=MODEL, contents=PROMPT, **more)
    return answer if flavour == "sync" else stage.loop.run_until_complete(answer)


@flavours
@pytest.mark.parametrize("name", ANSWERS)
def test_complete_objects_are_those_of_the_sdk(stage: GoogleStage, flavour: str, name: str) -> None:
    answer, choices = ANSWERS[name]
    config = types.GenerateContentConfig(candidate_count=choices)
    got = []
    for on in (False, True):
        if on:
            stage.on()
        stage.sim.reset()
        stage.exporter.clear()
        stage.sim.script(answer)
        got.append(_whole(stage, flavour, config=config).model_copy(update={"response_id": None}))
    l0.uninstrument()
    assert difference(got[1], got[0]) is None
    (span,) = stage.exporter.get_finished_spans()
    assert span.name == f"generate_content {MODEL}"


@flavours
@pytest.mark.usefixtures("on")
def test_complete_answer_is_retried_after_a_failure(stage: GoogleStage, flavour: str) -> None:
    for fault in (Fault.status(503), Fault.html(), Fault.empty(), Fault.json_error(), Fault.cut()):
        stage.sim.reset()
        stage.exporter.clear()
        stage.sim.script(fault)
        assert _whole(stage, flavour).text.startswith("Hello!")
        assert len(stage.sim.requests) == 2
        (span,) = [span for span in stage.exporter.get_finished_spans() if span.parent is None]
        assert (span.attributes or {})["l0.outcome"] == "recovered_retry"


@flavours
@pytest.mark.usefixtures("on")
def test_complete_answer_that_is_none_raises_the_class_of_the_sdk(stage: GoogleStage, flavour: str) -> None:
    stage.sim.reset()
    stage.sim.script(*[Fault.html()] * 3)
    with pytest.raises(genai.errors.APIError):
        _whole(stage, flavour)
    assert len(stage.sim.requests) == 3


def _chat_texts(chat: Any) -> list[str]:
    first = "".join(chunk.text or "" for chunk in chat.send_message_stream("hi"))
    second = chat.send_message("and now?").text
    return [first, second, *(part.text for content in chat.get_history() for part in content.parts)]


@pytest.mark.usefixtures("on")
def test_chat_keeps_its_history_over_a_repeated_turn(stage: GoogleStage) -> None:
    stage.sim.reset()
    stage.sim.script(Fault.reset(at_event=0))
    texts = _chat_texts(stage.client("sync").chats.create(model=MODEL))
    assert texts[0] == texts[1] == "Hello! I am a simulated model. How can I help you today?"
    assert "".join(texts[2:]).count(texts[0]) == 2
    assert len(stage.sim.requests) == 3


@pytest.mark.usefixtures("on")
def test_functions_that_the_sdk_calls_itself_are_called_once(stage: GoogleStage) -> None:
    called: list[str] = []

    def weather(city: str) -> str:
        """Say the weather."""
        called.append(city)
        return "rain"

    stage.sim.reset()
    asked = SimulatedToolCall(name="weather", arguments='{"city": "Oslo"}')
    stage.sim.script(Fault.reset(at_event=0), Answer(tool_calls=(asked,)), Answer(text="It rains."))
    config = types.GenerateContentConfig(tools=[weather])
    stream = stage.client("sync").models.generate_content_stream(model=MODEL, contents="hi", config=config)
    assert text_of(list(stream)) == "It rains."
    assert called == ["Oslo"]
    assert len(stage.sim.requests) == 3


@pytest.mark.usefixtures("on")
def test_structured_answer_is_parsed_by_the_sdk(stage: GoogleStage) -> None:
    stage.sim.reset()
    stage.sim.script(Fault.cut())
    schema = {"type": "OBJECT", "properties": {"name": {"type": "STRING"}}}
    config = {"response_mime_type": "application/json", "response_schema": schema}
    assert _whole(stage, "sync", config=config).parsed == {"name": "text"}


@pytest.mark.usefixtures("on")
def test_json_that_the_limit_cut_is_not_accepted(stage: GoogleStage) -> None:
    stage.sim.reset()
    stage.sim.script(Answer(text='{"name": "Os', stop="length"))

    def texts() -> Iterator[str]:
        for chunk in stage.client("sync").models.generate_content_stream(model=MODEL, contents=PROMPT):
            yield chunk.text or ""

    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    with pytest.raises(l0.StreamInterrupted, match='length limit \\(finish reason "MAX_TOKENS"\\)'):
        stage.loop.run_until_complete(l0.structured(schema, texts))
    assert len(stage.sim.requests) == 1


@flavours
def test_vertex_is_served_as_well(stage: GoogleStage, flavour: str) -> None:
    got = []
    for on in (False, True):
        if on:
            stage.on()
        client = stage.client(flavour, vertexai=True)
        stage.sim.reset()
        stage.sim.play(body_of())
        got.append(stage.seen(client, flavour))
        client.close()
        stage.loop.run_until_complete(client.aio.aclose())
    l0.uninstrument()
    assert difference(got[1].chunks, got[0].chunks) is None
    assert got[1].span is not None
    assert got[1].span["gen_ai.provider.name"] == "gcp.vertex_ai"


@pytest.mark.parametrize("ask", [lambda models: models.count_tokens, lambda models: models.embed_content])
@pytest.mark.usefixtures("on")
def test_other_requests_pass_through(stage: GoogleStage, ask: Callable[[Any], Any]) -> None:
    stage.sim.reset()
    stage.exporter.clear()
    with pytest.raises(genai.errors.ClientError):  # the simulator has neither
        ask(stage.client("sync").models)(model=MODEL, contents="hi")
    assert len(stage.sim.requests) == 1
    assert stage.exporter.get_finished_spans() == ()


def test_doctor_reports_the_sdk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor() == 0
    assert f"google.genai {genai.__version__}: patched" in capsys.readouterr().out
    monkeypatch.setattr(GoogleGenAIInstrumentor, "supported_versions", ">= 99")
    assert doctor() == 1
    report = capsys.readouterr().out
    assert f"! google.genai {genai.__version__}: not patched; its calls run without l0 (l0 does not patch" in report


def test_uninstrument_restores_the_sdk(stage: GoogleStage) -> None:
    kind = genai._api_client.BaseApiClient
    before = {name: vars(kind)[name] for name in ("request", "request_streamed")}
    stage.on()
    assert all(vars(kind)[name] is not function for name, function in before.items())
    l0.uninstrument()
    assert all(vars(kind)[name] is function for name, function in before.items())
