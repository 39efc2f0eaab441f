"""Requests from templates: when one is made, when it serves, and when the SDK builds the request itself."""

import functools
import logging
from collections.abc import Collection
from contextlib import suppress
from typing import Any
from weakref import ref

import openai
import pytest
import wrapt
from makers import collected

from l0.fastpath.attribute_recorder import AttributeRecorder
from l0.fastpath.request_template import RequestTemplate
from l0.fastpath.request_templates import MAX_SEEN, MAX_TEMPLATES, RequestTemplates

base: Any = openai._base_client
pytestmark = pytest.mark.skipif(
    int(openai.__version__.partition(".")[0]) < 3, reason="counts what openai 3 builds: install it, or a newer one"
)


COUNTED = """
def counted(client, options, *, retries_taken):
    requests.by_sdk += 1
    return original(client, options, retries_taken=retries_taken)
"""


def options(text: str = "x", **options: Any) -> Any:
    given = {"method": "post", "url": "/chat/completions", "json_data": {"text": text}} | options
    return openai._models.FinalRequestOptions.construct(**given)


class Requests:
    """Requests of one client through templates. ``by_sdk``: the number of those that the SDK built itself."""

    def __init__(self, client: Any = None, function: Any = None) -> None:
        self.templates = RequestTemplates(base)
        self.client = client or openai.OpenAI(api_key="k", base_url="http://origin.invalid/v1")
        self.by_sdk = 0
        self.function = function or self._counted()

    def _counted(self) -> Any:
        """Return the SDK's function as one that counts, and that is code of the SDK's module by its globals."""
        namespace = {"__name__": base.__name__, "requests": self, "original": base.BaseClient._build_request}
        exec(COUNTED, namespace)
        return namespace["counted"]

    def build(self, text: str = "x", propagated: Collection[str] = (), **given: Any) -> Any:
        build = self.function.__get__(self.client, type(self.client))
        return self.templates.build(self.client, build, options(text, **given), 0, propagated)

    def built_by_sdk(self, times: int, **options: Any) -> int:
        before = self.by_sdk
        for number in range(times):
            self.build(str(number), **options)
        return self.by_sdk - before


@pytest.fixture
def requests():
    made = Requests()
    yield made
    made.client.close()


def test_template_serves_after_it_was_proven_with_another_body(requests):
    assert [requests.built_by_sdk(1) for _ in range(4)] == [1, 1, 1, 0]
    assert requests.built_by_sdk(1, json_data={"text": "other"}) == 1
    assert requests.built_by_sdk(3, json_data={"text": "another"}) == 0


def test_changed_client_makes_a_new_template(requests):
    requests.built_by_sdk(4)
    assert requests.built_by_sdk(1) == 0
    requests.client.api_key = "other"
    assert requests.built_by_sdk(6) == 3
    assert requests.build().headers["Authorization"] == "Bearer other"


def test_attribute_that_is_not_read_does_not_matter(requests):
    requests.built_by_sdk(4)
    requests.client.max_retries = 7
    assert requests.built_by_sdk(2) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"params": {"a": "b"}},
        {"json_data": None, "content": b"x"},
        {"extra_json": {"a": 1}},
        {"json_data": None, "files": [("a", b"x")], "headers": {"Content-Type": "multipart/form-data"}},
        {"headers": {"Content-Type": "multipart/form-data"}},
        {"headers": {"Content-Length": "1"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"headers": {"Cookie": "a=b"}},
        {"method": "get"},
    ],
    ids=str,
)
def test_other_requests_are_left_to_the_sdk(requests, options):
    assert requests.built_by_sdk(5, **options) == 5


def test_request_that_the_sdk_refuses_raises_its_error(requests):
    for _ in range(4):
        with pytest.raises(TypeError, match="not JSON serializable"):
            requests.build(json_data={"a": object()})


def test_debug_log_of_the_sdk_is_complete(requests, caplog):
    requests.built_by_sdk(4)
    with caplog.at_level(logging.DEBUG, logger="openai"):
        assert requests.built_by_sdk(3) == 3
    assert caplog.text.count("Building HTTP request") == 3


def test_wrong_template_is_switched_off_with_a_warning(requests, monkeypatch, caplog):
    original = RequestTemplate.request

    def request(self: RequestTemplate, *given: Any) -> Any:
        made = original(self, *given)
        made.headers["X-Wrong"] = "1"
        return made

    monkeypatch.setattr(RequestTemplate, "request", request)
    assert requests.built_by_sdk(6) == 6
    assert list(requests.templates.switched_off) == ["/chat/completions"]
    assert "l0 leaves the requests to /chat/completions to the SDK" in caplog.text


def test_code_of_others_is_left_to_itself(requests):
    count = []

    class Mine(openai.OpenAI):
        @property
        def default_headers(self) -> Any:
            count.append(1)
            return {**super().default_headers, "X-Count": str(len(count))}

    with Mine(api_key="k", base_url="http://origin.invalid") as client:
        made = Requests(client)
        values = [made.build().headers["X-Count"] for _ in range(5)]
    assert values == ["1", "2", "3", "4", "5"]


def test_function_set_on_a_client_is_called(requests):
    requests.built_by_sdk(4)
    vars(requests.client)["_prepare_url"] = lambda url: openai._base_client.URL(f"http://mine.invalid{url}")
    assert {str(requests.build(str(one)).url) for one in range(5)} == {"http://mine.invalid/chat/completions"}


def test_function_set_on_a_class_is_called(requests, monkeypatch):
    requests.built_by_sdk(4)
    monkeypatch.setattr(base.BaseClient, "user_agent", property(lambda _: "mine"))
    assert {requests.build(str(one)).headers["User-Agent"] for one in range(5)} == {"mine"}


def passed_on(function: Any) -> tuple[Any, list[int]]:
    """Return a wrapper that looks like the function, as a library makes it, and its calls."""
    calls: list[int] = []

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return function(*args, **kwargs)

    return wrapper, calls


def through_wrapt(function: Any) -> tuple[Any, list[int]]:
    """As `passed_on`, by wrapt."""
    calls: list[int] = []

    def wrapper(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
        calls.append(1)
        return wrapped(*args, **kwargs)

    return wrapt.FunctionWrapper(function, wrapper), calls


@pytest.mark.parametrize("wrap", [passed_on, through_wrapt])
@pytest.mark.parametrize("owner", [base.BaseClient, openai.OpenAI])
def test_wrapper_of_a_library_is_called_each_time(requests, monkeypatch, wrap, owner):
    requests.built_by_sdk(4)
    wrapper, calls = wrap(base.BaseClient._build_headers)
    monkeypatch.setattr(owner, "_build_headers", wrapper)
    requests.built_by_sdk(5)
    assert len(calls) == 5


@pytest.mark.parametrize("wrap", [passed_on, through_wrapt])
def test_wrapper_of_the_whole_function_is_called_each_time(wrap):
    function, calls = wrap(base.BaseClient._build_request)
    with openai.OpenAI(api_key="k", base_url="http://origin.invalid") as client:
        Requests(client, function).built_by_sdk(5)
    assert len(calls) == 5


@pytest.mark.parametrize("wrap", [passed_on, through_wrapt])
def test_function_that_is_wrapped_later_is_called_each_time(requests, wrap):
    requests.built_by_sdk(4)
    requests.function, calls = wrap(requests.function)
    requests.built_by_sdk(5)
    assert len(calls) == 5


def test_encoder_that_is_replaced_encodes_each_body(requests, monkeypatch):
    requests.built_by_sdk(4)
    monkeypatch.setattr(base, "openapi_dumps", lambda body: b"mine " + body["text"].encode())
    assert [requests.build(str(one)).content for one in range(5)] == [b"mine %d" % one for one in range(5)]


def test_client_that_computes_its_attributes_is_left_to_the_sdk():
    class Mine(openai.OpenAI):
        def __getattribute__(self, name: str) -> Any:
            return object.__getattribute__(self, name)

    with Mine(api_key="k", base_url="http://origin.invalid") as client:
        assert Requests(client).built_by_sdk(5) == 5


def traced(number: int, **more: str) -> dict[str, str]:
    return {"X-One": "1", "traceparent": f"00-{number:032x}-01", "X-Two": "2", **more}


def test_template_serves_requests_of_different_traces(requests):
    names = {"traceparent"}
    for number in range(4):
        requests.build(str(number), headers=traced(number), propagated=names)
    assert requests.by_sdk == 3
    made = requests.build("y", headers=traced(9), propagated=names)
    by_sdk = requests.function(requests.client, options(headers=traced(9), text="y"), retries_taken=0)
    assert requests.by_sdk == 4
    assert made.headers.raw == by_sdk.headers.raw
    assert made.headers.encoding == by_sdk.headers.encoding


def test_template_of_one_trace_is_proven_again_for_another(requests):
    for _ in range(5):
        requests.build(headers=traced(1), propagated={"traceparent"})
    assert requests.by_sdk == 3
    for number in range(2, 5):
        requests.build(headers=traced(number), propagated={"traceparent"})
    assert requests.by_sdk == 4


@pytest.mark.parametrize(
    "headers",
    [
        traced(1, TraceParent="other"),
        traced(1) | {"traceparent": "ü"},
        traced(1) | {"traceparent": openai._types.Omit()},
        {"content-type": "multipart/form-data"},
    ],
    ids=["twice", "not ascii", "omitted", "content type"],
)
def test_propagated_headers_of_other_kinds_are_left_to_the_sdk(requests, headers):
    for _ in range(5):
        with suppress(UnicodeEncodeError):  # the SDK's
            requests.build(headers=headers, propagated={"traceparent", "content-type"})
    assert requests.by_sdk >= 5


def test_number_of_templates_and_of_remembered_kinds_is_limited(requests):
    for number in range(3 * MAX_SEEN):
        requests.build(headers={"X-Trace": str(number)})
        requests.build(headers={"X-Trace": str(number)})
    known = requests.templates._clients[requests.client]
    assert len(known.templates) == MAX_TEMPLATES
    assert len(known.seen) <= MAX_SEEN


def test_template_does_not_keep_its_client():
    requests = Requests()
    requests.built_by_sdk(5)
    client, templates = ref(requests.client), requests.templates
    requests.client.close()
    requests.client = None
    collected()
    assert client() is None
    assert not templates._clients


def test_stand_in_is_its_object_but_does_not_close_it(requests):
    recorder = AttributeRecorder(requests.client._client, {"timeout": 7})
    assert isinstance(recorder.stand_in, type(requests.client._client))
    assert recorder.stand_in.timeout == 7
    assert recorder.stand_in.headers is requests.client._client.headers
    assert {"headers", "timeout"} <= set(recorder.inherited)
    assert "_headers" in recorder.held
    recorder.stand_in = None
    collected()
    assert not requests.client.is_closed()


def test_class_that_notices_its_subclasses_has_no_stand_in():
    noticing = type("Noticing", (), {"__init_subclass__": classmethod(lambda _: None)})
    with pytest.raises(TypeError):
        AttributeRecorder(noticing(), {})
