"""Fault values and their text grammar."""

import pytest

from l0.simulator import script_grammar
from l0.simulator.answers import Answer, SimulatedToolCall
from l0.simulator.faults import Fault

FAULTS = [
    Fault.status(503, {"Retry-After": "1"}),
    Fault.refuse("rst"),
    Fault.cut(at_event=3),
    Fault.stall(at_byte=7, seconds=0.5),
    Fault.framing("cr") | Fault.cut(at_event=3),
    Fault.pings(2, count=4),
    Fault.comments(every=2),
    Fault.lifecycle_frames(70),
    Fault.in_band_error(2, code="slow_down", message="Too much | at once; 'now'".replace("|", "")),
    Fault.no_event_names(),
    Fault.repeats_overlap(20) | Fault.starts_over(),
    Fault.status(503).limited(rate=0.3) | Fault.cut().limited(times=2),
    Fault(),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault_text_parses_back_to_the_fault(fault: Fault) -> None:
    assert script_grammar.parse(str(fault)).fault == fault


def test_faults_are_values() -> None:
    assert Fault.cut(at_event=1) == Fault.cut(at_event=1)
    assert hash(Fault.cut() | Fault.bom()) == hash(Fault.cut() | Fault.bom())
    assert not Fault()


def test_grammar_accepts_answer_and_fault() -> None:
    script = script_grammar.parse("answer poem | stall at-event=2".replace("at-event", "at_event"))
    assert (script.named, script.fault) == ("poem", Fault.stall(at_event=2))
    assert script_grammar.parse("tokens 7").answer == Answer(tokens=7)
    call = SimulatedToolCall(name="look", arguments='{"city": "Rome"}')
    text = """text 'One moment.' | tool look '{"city": "Rome"}' | tool wait"""
    expected = Answer(text="One moment.", tool_calls=(call, SimulatedToolCall(name="wait")))
    assert script_grammar.parse(text).answer == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("explode", "'explode' is unknown; allowed are ok, answer, tokens"),
        ("cut at_even=2", "option 'at_even' is unknown; allowed are at_event, at_byte"),
        ("cut at_event=two", "at_event: 'two' given, allowed is a whole number"),
        ("cut at_event=-1", "at_event: -1 given, allowed is 0 or more"),
        ("framing tabs", "style: 'tabs' given, allowed are lf, cr, crlf"),
        ("status 99", "status: 99 given, allowed is 100 to 599"),
        ("tokens 1000001", "tokens: 1000001 given, allowed is 0 to 1,000,000"),
        ("bom 1", "'1' is one value too many; options are rate, times"),
        ("status 503 rate=2", "rate: 2.0 given, allowed is 0 to 1"),
        ("status 503 rate=nan", "rate: nan given, allowed is 0 to 1"),
        ("cut times=-1", "times: -1 given, allowed is 0 or more"),
        ("cut times=0.5", "times: '0.5' given, allowed is a whole number"),
        ("ok rate=0.3", "ok: takes no value, 1 given"),
        ("tool", "tool: takes 1 or 2 values, 0 given"),
        ("answer poem | text x", "text: there is an answer already"),
        ("tokens 3 | tool f", "tool: there is an answer already"),
        ("text x | text y | tokens 3", "tokens: there is an answer already"),
        ("answer", "answer: takes one value, 0 given"),
        ("cut |", "a part is empty"),
        ("cut 'x", "No closing quotation"),
        ("status", "status: "),
    ],
)
def test_grammar_error_names_the_word_and_allowed_values(text: str, named: str) -> None:
    with pytest.raises(script_grammar.GrammarError) as caught:
        script_grammar.parse(text)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("retries", "part"), [("", "empty"), ("0", "empty"), ("1", "status 503"), ("2", "ok"), ("7", "ok"), ("-1", "empty")]
)
def test_each_request_of_a_call_has_its_part_of_a_text(retries: str, part: str) -> None:
    assert script_grammar.of_attempt("empty; status 503 ;ok", retries) == part


def test_a_text_without_parts_is_that_of_every_request() -> None:
    assert {script_grammar.of_attempt("status 503", retries) for retries in ("", "1", "2")} == {"status 503"}
