"""Compiled request options are those of the SDK's own construction: fields, order, copies, and what is stripped."""

import logging
import subprocess
import sys
from collections.abc import Mapping

import anthropic
import openai
import pytest

import l0
from l0.fastpath.comparison import difference, identity_map
from l0.fastpath.request_inputs import is_absent
from l0.fastpath.request_options import MAX_KINDS, RequestOptions


class Frozen(Mapping):
    """A mapping that is no dict."""

    def __init__(self, content):
        self.content = content

    def __getitem__(self, key):
        return self.content[key]

    def __iter__(self):
        return iter(self.content)

    def __len__(self):
        return len(self.content)


def compiled(sdk):
    return RequestOptions(sdk._models.FinalRequestOptions, construct_of(sdk), sdk._models.strip_not_given)


def construct_of(sdk):
    return sdk._models.FinalRequestOptions.construct


def given(sdk):
    """The arguments of a `create`, and odd ones."""
    absent = sdk._types.NotGiven()
    post = {"method": "post", "url": "/x"}
    yield post
    yield {**post, "json_data": {"a": 1, "b": absent, "c": {"d": absent}}, "files": None}
    yield {**post, "json_data": [{"a": absent}], "headers": {"x-a": "1", "x-b": absent}, "timeout": absent}
    yield {**post, "headers": Frozen({"x-a": "1", "x-b": absent}), "timeout": openai.Timeout(3.0, connect=1)}
    yield {**post, "headers": {"x-a": sdk._types.Omit()}, "max_retries": 3, "extra_json": {"k": [1]}}
    yield {**post, "params": {"q": absent, "r": 1}, "post_parser": print, "idempotency_key": "k"}
    if "follow_redirects" in sdk._models.FinalRequestOptions.model_fields:  # not in the oldest
        yield {"url": "/x", "json_data": None, "method": "get", "follow_redirects": True}


@pytest.mark.parametrize("sdk", [openai, anthropic])
def test_options_are_those_of_the_sdk(sdk):
    options, construct = compiled(sdk), construct_of(sdk)
    for values in given(sdk):
        options.constructed(values)
        ours, theirs = options._build(values), construct(**values)
        assert tuple(values) in options._proven
        assert identity_map(vars(ours), values) == identity_map(vars(theirs), values)
        for name, value in vars(theirs).items():
            if is_absent(value):
                assert type(vars(ours)[name]) is type(value)
                vars(ours)[name] = value
        assert difference(ours, theirs) is None
        assert ours == theirs
        assert repr(ours) == repr(theirs)
    assert options.unsupported is None


@pytest.mark.parametrize("sdk", [openai, anthropic])
def test_two_options_share_nothing_that_can_change(sdk):
    options = compiled(sdk)
    one, other = [options.constructed({"method": "post", "url": "/x"}) for _ in range(3)][1:]
    one.params["q"] = 1
    one.__pydantic_fields_set__.add("params")
    assert other.params == {}
    assert other.model_fields_set == {"method", "url"}
    copy = one.model_copy()
    copy.max_retries = 7
    assert is_absent(one.max_retries)


def test_the_sdk_serves_each_kind_once():
    served = []
    construct = construct_of(openai)

    def counted(**values):
        served.append(values)
        return construct(**values)

    options = RequestOptions(openai._models.FinalRequestOptions, counted, openai._models.strip_not_given)
    served.clear()
    for _ in range(3):
        options.constructed({"method": "post", "url": "/x"})
    options.constructed({"method": "post"})  # a field without its value, and one that is unknown
    options.constructed({"method": "post", "url": "/x", "what": 1})
    assert [len(values) for values in served] == [2, 1, 3]


def test_a_construction_that_differs_is_left_to_the_sdk(caplog):
    construct = construct_of(openai)

    def changed(**values):
        made = construct(**values)
        made.method = "PUT"
        return made

    options = RequestOptions(openai._models.FinalRequestOptions, changed, openai._models.strip_not_given)
    with caplog.at_level(logging.WARNING, logger="l0"):
        made = [options.constructed({"method": "post", "url": "/x"}) for _ in range(2)]
    assert [one.method for one in made] == ["PUT", "PUT"]
    assert "leaves the options of requests to the SDK" in caplog.text
    assert options.switched_off is not None
    assert len(caplog.records) == 1


def test_a_value_that_cannot_be_compared_proves_nothing():
    class Odd:
        def __eq__(self, other):
            raise ValueError("the truth value is ambiguous")

        __hash__ = None

    options, odd = compiled(openai), Odd()
    for _ in range(2):
        made = options.constructed({"method": "post", "url": "/x", "json_data": {"a": odd}})
        assert made.json_data["a"] is odd
    assert options.unsupported is None
    assert options._proven == set()


def test_an_unknown_construction_is_left_to_the_sdk():
    options = RequestOptions(openai._models.FinalRequestOptions, dict, openai._models.strip_not_given)
    assert options.unsupported is not None
    assert options.constructed({"method": "post"}) == {"method": "post"}


def test_few_kinds_are_remembered(monkeypatch):
    monkeypatch.setattr("l0.fastpath.request_options.MAX_KINDS", 2)
    assert MAX_KINDS > 2
    options = compiled(openai)
    for values in given(openai):
        options.constructed(values)
    assert len(options._proven) == 2


def test_the_function_of_another_library_is_left_in_place():
    code = """
import openai, l0
kind = openai._models.FinalRequestOptions
own = kind.construct
kind.construct = classmethod(lambda cls, **values: own(**values))
theirs = vars(kind)["construct"]
l0.instrument()
assert vars(kind)["construct"] is theirs
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("sdk", [openai, anthropic])
def test_the_patch_is_undone(sdk):
    kind = sdk._models.FinalRequestOptions
    before = vars(kind)["construct"]
    l0.instrument()
    try:
        assert vars(kind)["construct"] is not before
        made = [kind.construct(method="post", url="/x") for _ in range(2)]
        assert [one.method for one in made] == ["post", "post"]
    finally:
        l0.uninstrument()
    assert vars(kind)["construct"] is before
