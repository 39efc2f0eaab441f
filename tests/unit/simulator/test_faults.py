"""Fault values and their text grammar."""

import json
import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.simulator import script_grammar, script_words
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


JSON = [
    '{"city":"Rome"}',
    '{"city": "Rome", "says": "It\'s \\"warm\\"; | C:\\\\sun", "days": [[1, 2], []]}',
    '[{"a": "b"}]',
]


@pytest.mark.parametrize("arguments", JSON)
@pytest.mark.parametrize("rest", ["", " | cut at_event=3", "|ok"])
def test_json_is_kept_as_written(arguments: str, rest: str) -> None:
    asked = f"tool look {arguments}{rest}"
    assert script_grammar.of_attempt(f"{asked};status 503", "0") == asked
    assert script_grammar.of_attempt(f"{asked};status 503", "1") == "status 503"
    assert script_grammar.in_prompt(f"Weather? [[simulate: {asked}]] It's [[5]].") == asked
    script = script_grammar.parse(asked)
    assert script.answer == Answer(tool_calls=(SimulatedToolCall(name="look", arguments=arguments),))
    assert bool(script.fault) == ("cut" in rest)


@pytest.mark.parametrize("body", JSON)
def test_json_of_an_option_is_kept_as_written(body: str) -> None:
    assert script_grammar.parse(f"status 503 body={body}").fault == Fault.status(503, body=body)


def test_text_in_quotes_may_contain_the_marks_of_the_grammar() -> None:
    asked = "text 'One; two | three ]] \"four\"'"
    assert script_grammar.in_prompt(f"a [[simulate: {asked}; ok]] b") == f"{asked}; ok"
    assert script_grammar.of_attempt(f"{asked}; ok", "0") == asked
    assert script_grammar.parse(asked).answer == Answer(text='One; two | three ]] "four"')


@pytest.mark.parametrize("text", ["[DONE]", "{name}", "a]]b", "x{1", "[", "{"])
def test_text_with_brackets_that_is_not_json_is_kept(text: str) -> None:
    assert script_grammar.parse(f"text {text}").answer == Answer(text=text)


HOSTILE = ["[ ", '{"a": ', "[ x ", '[ "[ " ', "=[", "[ [1, 2", "{ '[ ' "]
"""Texts that begin like JSON many times, and are none."""


@pytest.mark.parametrize("closing", ["", " ]", "}"])
@pytest.mark.parametrize("opening", HOSTILE)
def test_each_part_of_a_hostile_text_is_read_as_json_at_most_once(
    opening: str, closing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = script_words._read_json
    counted = 0

    def counting(text: str, at: int) -> tuple[object, int]:
        nonlocal counted
        try:
            value, end = read(text, at)
        except json.JSONDecodeError as error:
            counted += error.pos - at
            raise
        except RecursionError:
            counted += len(text) - at
            raise
        counted += end - at
        return value, end

    monkeypatch.setattr(script_words, "_read_json", counting)
    times = 4_096 // (len(opening) + len(closing))
    text = opening * times + closing * times
    assert "".join(piece.text for piece in script_words._pieces(text)) == text
    assert 0 < counted <= len(text)


def test_json_after_text_that_only_begins_like_it_is_kept() -> None:
    assert script_words.words_of("[ x [1, 2] | {") == ["[", "x", "[1, 2]", "|", "{"]


def test_open_quote_in_a_prompt_is_refused_not_ignored() -> None:
    found = script_grammar.in_prompt("[[simulate: text Don't]] say so")
    assert found == "text Don't"
    with pytest.raises(script_grammar.GrammarError, match="No closing quotation"):
        script_grammar.parse(found)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            'tool look {"city": Rome}',
            """'tool look {"city": Rome}': {"city": Rome} given, allowed is JSON, or any text in quotes""",
        ),
        ('tool look {"city":"Rome"}x', '{"city":"Rome"}x given, allowed is JSON'),
        (
            "tool look {city: Rome}",
            "tool: takes 1 or 2 values, 3 given (look '{city:' 'Rome}'); allowed is tool NAME [ARGUMENTS]",
        ),
        ("text Hello there", "allowed is text TEXT"),
        ("status 503 body={'a': 1}", "{'a': 1} given, allowed is JSON"),
        ("explode", "'explode' is unknown; allowed are ok, answer, tokens"),
        (
            "cut at_even=2",
            "cut: option 'at_even' is unknown; allowed is cut [at_event=N] [at_byte=N] [rate=X] [times=N]",
        ),
        ("cut at_event=two", "cut: at_event: 'two' given, allowed is a whole number"),
        ("cut at_event=-1", "at_event: -1 given, allowed is 0 or more"),
        ("framing tabs", "style: got 'tabs', allowed: lf, cr, crlf"),
        ("status 99", "status: 99 given, allowed is 100 to 599"),
        ("tokens 1000001", "tokens: 1000001 given, allowed is 0 to 1,000,000"),
        ("bom 1", "bom: '1' is one value too many; allowed is bom [rate=X] [times=N]"),
        ("status 503 rate=2", "rate: 2.0 given, allowed is 0 to 1"),
        ("status 503 rate=nan", "rate: nan given, allowed is 0 to 1"),
        ("cut times=-1", "times: -1 given, allowed is 0 or more"),
        ("cut times=0.5", "times: '0.5' given, allowed is a whole number"),
        ("ok rate=0.3", "ok: takes no value, 1 given (rate=0.3)"),
        ("ok seconds=3", "ok: takes no value, 1 given (seconds=3)"),
        ("tool", "tool: takes 1 or 2 values, none given"),
        ("answer poem | text x", "text: there is an answer already"),
        ("tokens 3 | tool f", "tool: there is an answer already"),
        ("text x | text y | tokens 3", "tokens: there is an answer already"),
        ("answer", "answer: takes one value, none given"),
        ("cut |", "a part is empty"),
        ("cut 'x", "No closing quotation"),
        ("status", "status: STATUS is missing; allowed is status STATUS [HEADER=VALUE ...] [body=TEXT]"),
        ("status body=x", "status: STATUS is missing"),
        ("status 503 429", "status: '429' is one value too many"),
        ("status 503 status=429", "status: status is given twice"),
        ("lifecycle-frames", "lifecycle-frames: COUNT is missing; allowed is lifecycle-frames COUNT"),
    ],
)
def test_grammar_error_names_the_word_and_allowed_values(text: str, named: str) -> None:
    with pytest.raises(script_grammar.GrammarError) as caught:
        script_grammar.parse(text)
    assert named in str(caught.value)


def rest_of_a_part() -> st.SearchStrategy[str]:
    names = ["at_event", "at_byte", "seconds", "interval", "status", "count", "style", "how", "rate", "times", "body"]
    values = st.sampled_from(["0", "1", "503", "-1", "0.5", "nan", "inf", "x", "''", "lf", "rst", "1" * 400])
    named = st.builds("{}={}".format, st.sampled_from([*names, "self", "return", "headers", "colour"]), values)
    return st.lists(named | values, max_size=4).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(word=st.sampled_from(script_grammar.vocabulary()), rest=rest_of_a_part())
def test_any_part_is_parsed_or_refused_in_words_of_the_grammar(word: str, rest: str) -> None:
    refusal = f"{word}: allowed"
    try:
        script_grammar.parse(f"{word} {rest}")
    except script_grammar.GrammarError as error:
        refusal = str(error)
    assert refusal.startswith(f"{word}: ")
    assert re.search(r"allowed|takes|missing|given", refusal)
    assert not re.search(r"\(\)|argument|Fault|Error", refusal)


@pytest.mark.parametrize("word", script_grammar.vocabulary())
def test_word_with_a_missing_or_a_wrong_value_names_what_is_allowed(word: str) -> None:
    with pytest.raises(script_grammar.GrammarError, match=f"{word}: .*(allowed is {word}|takes)"):
        script_grammar.parse(f"{word} colour=red x y z")
    with suppress(script_grammar.GrammarError):
        script_grammar.parse(word)
        return  # it needs no value
    with pytest.raises(script_grammar.GrammarError, match=f"{word}: .*(allowed is {word}|takes)"):
        script_grammar.parse(word)


@pytest.mark.parametrize(
    ("retries", "part"), [("", "empty"), ("0", "empty"), ("1", "status 503"), ("2", "ok"), ("7", "ok"), ("-1", "empty")]
)
def test_each_request_of_a_call_has_its_part_of_a_text(retries: str, part: str) -> None:
    assert script_grammar.of_attempt("empty; status 503 ;ok", retries) == part


def test_a_text_without_parts_is_that_of_every_request() -> None:
    assert {script_grammar.of_attempt("status 503", retries) for retries in ("", "1", "2")} == {"status 503"}
