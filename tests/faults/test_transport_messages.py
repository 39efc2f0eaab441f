"""The messages of failures of the transport name the limit that expired, and whether there was a connection."""

import ssl
from typing import Any

import h11
import openai
import pytest
from faults_kit import Stage, body_of, sync_and_async
from installed import transport_of

import l0
from l0.model.failure import Cause
from l0.runtime.transport_messages import transport_message
from l0.simulator.faults import Fault

transport: Any = transport_of(openai)
CLOSED = "the connection was closed before the headers of the response"


@pytest.fixture
def on(stage: Stage) -> Any:
    stage.on(l0.Policy(retry=l0.Retry(max_retries=0)))
    yield stage
    l0.uninstrument()


def description(stage: Stage) -> str:
    (span,) = stage.exporter.get_finished_spans()
    return str(span.status.description)


@sync_and_async
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault.no_headers(), "no_headers: no response within 0.4 s, the SDK's timeout"),
        (
            Fault.stall(at_event=2),
            "read_timeout: the response stopped arriving: nothing within 0.4 s, the SDK's timeout",
        ),
        (Fault.no_headers(seconds=0.1), f"connection: {CLOSED}"),
        (Fault.refuse("rst"), f"connection: {CLOSED}"),
    ],
    ids=["no headers", "stall", "closed", "reset"],
)
@pytest.mark.parametrize("dialect", ["chat", "messages"])
def test_a_failure_of_the_transport_says_what_is_known(on, fault, message, dialect, sync):
    on.call(body_of(dialect), fault, sync=sync, timeout=0.4)
    assert description(on).startswith(f"{message} (")


@sync_and_async
def test_the_limit_is_the_sdks_own_if_l0_reduced_it(on, sync):
    limits = l0.Timeout(initial_token=None, total=60_000)
    with l0.policy(l0.Policy(retry=l0.Retry(max_retries=0), timeout=limits)):
        on.call(body_of("chat"), Fault.no_headers(), sync=sync, timeout=0.4)
    assert "within 0.4 s, the SDK's timeout" in description(on)


@sync_and_async
def test_a_port_on_which_nothing_listens_has_no_connection(on, sync):
    client: Any = (openai.OpenAI if sync else openai.AsyncOpenAI)(api_key="k", base_url="http://127.0.0.1:9/v1")
    request: Any = {"model": "m", "messages": []}
    on.exporter.clear()
    with pytest.raises(openai.APIConnectionError):
        if sync:
            client.chat.completions.create(**request)
        else:
            on.loop.run_until_complete(client.chat.completions.create(**request))
    assert description(on).startswith("connection: no connection to the provider (")
    if sync:
        client.close()
    else:
        on.loop.run_until_complete(client.close())


def caused(error: BaseException, *causes: BaseException) -> BaseException:
    """Return an exception with its chain of causes."""
    link = error
    for cause in causes:
        link.__cause__ = cause
        link = cause
    return error


def late(kind: str) -> BaseException:
    limits = {"connect": 1.0, "read": 2.5, "write": 3.0, "pool": None}
    request = transport.Request("POST", "http://origin.invalid/", extensions={"timeout": limits})
    error: BaseException = getattr(transport, kind)("m", request=request)
    return error


def named(module: str, name: str) -> BaseException:
    error: BaseException = type(name, (Exception,), {"__module__": module})("m")
    return error


@pytest.mark.parametrize(
    ("cause", "error", "message"),
    [
        (Cause.NO_HEADERS, late("ConnectTimeout"), "no connection within 1 s, the SDK's timeout"),
        (Cause.NO_HEADERS, late("ReadTimeout"), "no response within 2.5 s, the SDK's timeout"),
        (Cause.NO_HEADERS, late("WriteTimeout"), "the request was not sent within 3 s, the SDK's timeout"),
        (Cause.NO_HEADERS, late("PoolTimeout"), ""),
        (Cause.NO_HEADERS, TimeoutError(), ""),
        (Cause.CONNECTION, caused(transport.ConnectError("m"), ConnectionResetError()), ""),
        (Cause.CONNECTION, caused(transport.ConnectError("m"), ssl.SSLError()), ""),
        (Cause.CONNECTION, transport.RemoteProtocolError("m"), CLOSED),
        (Cause.CONNECTION, named("aiohttp.client_exceptions", "ServerDisconnectedError"), CLOSED),
        (Cause.CONNECTION, named("botocore.exceptions", "ConnectionClosedError"), CLOSED),
        (Cause.CONNECTION, named("urllib3.exceptions", "NewConnectionError"), ""),
        (
            Cause.CONNECTION,
            caused(transport.RemoteProtocolError("m"), h11.RemoteProtocolError("m")),
            "the response is not valid HTTP",
        ),
        (Cause.RESET, transport.ReadError("m"), ""),
    ],
)
def test_messages(cause, error, message):
    assert transport_message(cause, error) == message
