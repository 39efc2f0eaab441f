"""Replies that are matched to requests, through the real SDKs."""

import contextlib
import re
from typing import Any

import anthropic
import openai
import pytest
from installed import httpx, needs_responses

from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.conversation import Conversation
from l0.simulator.faults import Fault
from l0.simulator.request_match import RequestMatch
from l0.simulator.script_grammar import GrammarError
from l0.simulator.server import Simulator
from l0.simulator.simulator_config import SimulatorConfig
from l0.simulator.simulator_thread import SimulatorThread

HELLO = "Hello! I am a simulated model. How can I help you today?"
LOOK = SimulatedToolCall(name="look", arguments='{"city": "Rome"}')


def says(role: str, content: Any, **more: Any) -> Any:
    return {"role": role, "content": content, **more}


def chat(client: openai.OpenAI, *messages: Any, model: str = "m") -> Any:
    return client.chat.completions.create(model=model, messages=list(messages)).choices[0].message


@needs_responses
def test_prompts_get_their_answers(client: openai.OpenAI, claude: anthropic.Anthropic, sim: Simulator) -> None:
    sim.on("weather", reply=Answer(text="It rains."))
    sim.on(re.compile(r"\bstock of \w+", re.IGNORECASE), reply="text 'Up.'")
    assert chat(client, says("user", "The weather?")).content == "It rains."
    assert client.responses.create(model="m", input="Stock OF Acme").output_text == "Up."
    assert client.completions.create(model="m", prompt="weather").choices[0].text == "It rains."
    message = claude.messages.create(model="m", max_tokens=99, messages=[says("user", "Stock of Acme")])
    assert message.content[0].text == "Up."  # type: ignore[union-attr]
    assert chat(client, says("user", "news?")).content == HELLO
    streamed = client.chat.completions.create(model="m", messages=[says("user", "weather")], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices) == "It rains."


def test_loop_of_an_agent_ends(client: openai.OpenAI, sim: Simulator) -> None:
    sim.on(tool_result=re.compile(r"(\d+) degrees"), reply=Answer(text="Take a coat."))
    sim.on("weather", reply=Answer(tool_calls=(LOOK,)))
    messages = [says("user", "The weather?")]
    first = chat(client, *messages)
    assert first.tool_calls[0].function.arguments == LOOK.arguments
    messages += [first, says("tool", "18 degrees", tool_call_id=first.tool_calls[0].id)]
    assert chat(client, *messages).content == "Take a coat."


def test_prompt_alone_does_not_answer_tool_results(client: openai.OpenAI, sim: Simulator) -> None:
    sim.on("weather", reply=Answer(tool_calls=(LOOK,)))
    asked = [says("user", "weather?"), says("assistant", "x"), says("tool", "rain", tool_call_id="c")]
    assert chat(client, *asked).content == HELLO
    sim.on("weather", tool_result="rain", reply="text wet")
    assert chat(client, *asked).content == "wet"


def test_turn_system_and_model_are_conditions(client: openai.OpenAI, sim: Simulator) -> None:
    sim.on(turn=2, reply="text second")
    sim.on(system="be brief", model=re.compile("^gpt-4o$"), reply="text brief")
    brief = (says("developer", "be brief, please"), says("user", "a"))
    assert chat(client, *brief, model="gpt-4o").content == "brief"
    assert chat(client, *brief, model="gpt-4o-mini").content == HELLO
    assert chat(client, *brief, says("assistant", "b"), says("user", "c"), model="gpt-4o").content == "second"


@needs_responses
def test_turn_of_a_stored_response(client: openai.OpenAI, sim: Simulator) -> None:
    sim.on(turn=3, reply="text third")
    previous: str | None = None
    for text in (HELLO, HELLO, "third"):
        answer = client.responses.create(model="m", input="go on", previous_response_id=previous or openai.omit)
        assert answer.output_text == text
        previous = answer.id


def test_times_let_the_next_rule_answer(client: openai.OpenAI, sim: Simulator) -> None:
    sim.on("a", reply="text one", times=1)
    sim.on("a", reply="text two", times=2)
    assert [chat(client, says("user", "a")).content for _ in range(4)] == ["one", "two", "two", HELLO]
    sim.on(reply=Fault.status(503).limited(times=1))
    with pytest.raises(openai.InternalServerError):
        chat(client, says("user", "b"))
    assert chat(client, says("user", "b")).content == HELLO
    sim.on("c", reply="text three")
    sim.reset()
    assert chat(client, says("user", "c")).content == HELLO


def test_script_and_directives_come_before_rules(client: openai.OpenAI, sim: Simulator) -> None:
    sim.on(reply="text rule")
    sim.script("text script")
    asked = says("user", "a [[simulate: text prompt]]")
    assert [chat(client, asked).content, chat(client, asked).content, chat(client, says("user", "a")).content] == [
        "script",
        "prompt",
        "rule",
    ]


def test_resumed_answer_keeps_its_rule(client: openai.OpenAI, sim: Simulator) -> None:
    sim.on("poem", reply=Answer(text="Roses are red, violets are blue."))
    resumed = (says("user", "a poem"), says("assistant", "Roses are red,"), says("user", "Continue where you stopped."))
    assert chat(client, *resumed).content == " violets are blue."


def test_invalid_rules_are_refused(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="turn: 0 given, allowed is 1 or more"):
        sim.on(turn=0, reply="ok")
    with pytest.raises(ValueError, match="times: 0 given, allowed is 1 or more"):
        sim.on(reply="ok", times=0)
    with pytest.raises(GrammarError, match="'explode' is unknown"):
        sim.on(reply="explode")


def test_match_without_conditions_matches_everything() -> None:
    assert RequestMatch().matches(Conversation(), "m")
    assert not RequestMatch(tool_result="").matches(Conversation(), "m")
    assert RequestMatch(tool_result="").matches(Conversation(has_tool_results=True), "m")


def test_configured_replies_survive_a_reset(client: openai.OpenAI) -> None:
    with SimulatorThread(Simulator(SimulatorConfig(replies=(("weather", "text wet"), ("", "text all"))))) as sim:
        there = client.with_options(base_url=sim.openai)
        for _ in range(2):
            assert chat(there, says("user", "the weather")).content == "wet"
            assert chat(there, says("user", "news")).content == "all"
            sim.reset()


def test_reply_can_be_made_from_the_request(client: openai.OpenAI, sim: Simulator) -> None:
    sim.on("echo", reply=lambda request: Answer(text=request.body["messages"][0]["content"].upper()))
    sim.on("broken", reply=lambda request: Answer(text=request.body["no such field"]))
    assert chat(client, says("user", "echo this")).content == "ECHO THIS"
    with pytest.raises(openai.InternalServerError, match="cannot answer this request: KeyError"):
        chat(client, says("user", "broken"))


def first_words(client: openai.OpenAI, prompt: str = "Rome") -> str:
    """Return the text of a stream up to its end or its error."""
    text = ""
    with contextlib.suppress(openai.APIConnectionError, httpx.HTTPError):
        for chunk in client.chat.completions.create(model="m", messages=[says("user", prompt)], stream=True):
            text += chunk.choices[0].delta.content or "" if chunk.choices else ""
    return text


@pytest.mark.parametrize("how", ["script", "header", "prompt"])
def test_fault_alone_breaks_the_answer_of_the_rule(how: str, client: openai.OpenAI, sim: Simulator) -> None:
    sim.on("Rome", reply="text 'It is sunny in Rome.'", times=1)
    prompt = "Rome"
    if how == "script":
        sim.script("cut at_event=4")
    elif how == "header":
        client = client.with_options(default_headers={"x-l0-simulate": "cut at_event=4"})
    else:
        prompt = "Rome [[simulate: cut at_event=4]]"
    broken = first_words(client, prompt)
    assert broken
    assert "It is sunny in Rome.".startswith(broken)
    assert sim.requests[0].answered == "cut at_event=4"
    if how == "script":
        assert first_words(client) == "It is sunny in Rome."  # the broken one did not count for `times`


@pytest.mark.parametrize("reply", ["ok", None, "status 503 times=0"], ids=str)
def test_healthy_reply_without_an_answer_is_that_of_the_rule(reply: Any, client: openai.OpenAI, sim: Simulator) -> None:
    sim.on("Rome", reply="text 'It is sunny.'")
    sim.script(reply)
    assert first_words(client) == "It is sunny."


def test_fault_of_the_script_replaces_that_of_the_rule(client: openai.OpenAI, sim: Simulator) -> None:
    sim.on("Rome", reply="text 'It is sunny.' | cut at_event=2")
    sim.script("comments", "text Rain.")
    assert [first_words(client) for _ in range(2)] == ["It is sunny.", "Rain."]
    assert [received.answered for received in sim.requests] == ["comments 1", "ok"]


def test_fault_in_place_of_the_answer_does_not_call_the_function_of_the_rule(
    client: openai.OpenAI, sim: Simulator
) -> None:
    asked: list[Any] = []
    sim.on("Rome", reply=lambda request: asked.append(request) or "text Sun.")
    sim.script("status 503", "no-headers seconds=0", "bom")
    with pytest.raises(openai.InternalServerError):
        chat(client, says("user", "Rome"))
    with pytest.raises(openai.APIConnectionError):
        chat(client, says("user", "Rome"))
    assert asked == []
    assert first_words(client) == "Sun."
