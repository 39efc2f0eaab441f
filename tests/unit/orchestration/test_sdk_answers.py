"""Complete answers of an SDK as the answers of tasks: their text, or their tool calls."""

import json
from itertools import count

import pytest
from openai.types.chat import ChatCompletion
from orchestration_tasks import returning, run

from l0.orchestration.consensus.consensus import Consensus
from l0.orchestration.consensus.outcome import ConsensusError
from l0.orchestration.fan_out import parallel
from l0.orchestration.races import race

_ids = count()


def completion(content=None, arguments=None):
    """Return a completion with a text, or with the call of a tool."""
    number = next(_ids)
    message = {"role": "assistant", "content": content}
    if arguments is not None:
        function = {"name": "look", "arguments": json.dumps(arguments)}
        message["tool_calls"] = [{"id": f"call-{number}", "type": "function", "function": function}]
    choice = {"index": 0, "finish_reason": "stop" if arguments is None else "tool_calls", "message": message}
    values = {"id": f"c-{number}", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return ChatCompletion.model_validate(values)


def test_tool_call_wins_a_race():
    call = completion(arguments={"a": 1})
    won = run(race([returning(completion("")), returning(call)]))
    assert won.value is call


def test_consensus_compares_the_arguments_of_tool_calls():
    same = [returning(completion(arguments={"a": 1, "b": "x"})), returning(completion(arguments={"b": "x", "a": 1}))]
    found = run(Consensus.run(same, threshold=1.0))
    assert (found.status, found.agreement) == ("agreed", 1.0)
    assert isinstance(found.value, ChatCompletion)
    with pytest.raises(ConsensusError):
        run(Consensus.run([returning(completion(arguments={"a": n})) for n in range(3)], preset=Consensus.STRICT))


def test_merge_joins_the_texts_of_completions():
    results = run(parallel([returning(completion("one")), returning(completion("two")), returning("three")]))
    assert results.merge(" ") == "one two three"
