"""Requests from templates: when one is made, when it serves, and when the SDK builds the request itself."""

import gc
import logging
from typing import Any
from weakref import ref

import openai
import pytest

from l0.fastpath.attribute_recorder import AttributeRecorder
from l0.fastpath.request_template import RequestTemplate
from l0.fastpath.request_templates import MAX_SEEN, MAX_TEMPLATES, RequestTemplates

base: Any = openai._base_client
pytestmark = pytest.mark.skipif(
    not hasattr(base, "openapi_dumps"), reason="needs an openai that encodes JSON itself; older requests are left alone"
)


class Requests:
    """Requests of one client through templates. ``by_sdk``: the number of those that the SDK built itself."""

    def __init__(self, client: Any = None) -> None:
        self.templates = RequestTemplates(base)
        self.client = client or openai.OpenAI(api_key="k", base_url="http://origin.invalid/v1")
        self.by_sdk = 0

    def build(self, text: str = "x", **options: Any) -> Any:
        given = {"method": "post", "url": "/chat/completions", "json_data": {"text": text}} | options
        requests = self

        class Build:
            """The SDK's method, bound to the client, counted."""

            def __call__(self, options: Any, *, retries_taken: int) -> Any:
                requests.by_sdk += 1
                return base.BaseClient._build_request(requests.client, options, retries_taken=retries_taken)

            @staticmethod
            def __func__(client: Any, options: Any, *, retries_taken: int) -> Any:
                requests.by_sdk += 1
                return base.BaseClient._build_request(client, options, retries_taken=retries_taken)

        made = openai._models.FinalRequestOptions.construct(**given)
        return self.templates.build(self.client, Build(), made, 0)

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
    gc.collect()
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
    gc.collect()
    assert not requests.client.is_closed()


def test_class_that_notices_its_subclasses_has_no_stand_in():
    noticing = type("Noticing", (), {"__init_subclass__": classmethod(lambda _: None)})
    with pytest.raises(TypeError):
        AttributeRecorder(noticing(), {})
