"""Exceptions of a transport and their causes are written and made again."""

import errno
import json

from installed import httpx

from l0.pytest_plugin.recorded_errors import describe_error, make_error


def test_chain_comes_back_as_the_playing_transport_raises_it() -> None:
    error = httpx.ReadError("broke")
    error.__cause__ = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    chain = tuple(json.loads(json.dumps(describe_error(error))))
    other = tuple(link | {"type": link["type"].replace("httpx2.", "httpx.")} for link in chain)
    for recorded in (chain, other):
        made = make_error(recorded, httpx)
        assert type(made) is httpx.ReadError
        assert str(made) == "broke"
        assert isinstance(made.__cause__, ConnectionResetError)
        assert made.__cause__.errno == errno.ECONNRESET


def test_cause_behind_from_none_is_kept() -> None:
    error = httpx.ConnectError("no")
    error.__context__, error.__suppress_context__ = ValueError("inner"), True
    assert [link["type"] for link in describe_error(error)][1:] == ["builtins.ValueError"]


def test_unknown_classes_and_other_values_are_left_out() -> None:
    chain = (
        {"type": "nowhere.Error", "message": "outer"},
        {"type": "asyncio.exceptions.CancelledError", "message": ""},
        {"type": "os.getcwd", "message": ""},
        {"type": "builtins.ValueError", "message": "inner"},
    )
    made = make_error(chain, httpx)
    assert type(made) is httpx.ReadError
    assert str(made) == "outer"
    assert isinstance(made.__cause__, ValueError)
