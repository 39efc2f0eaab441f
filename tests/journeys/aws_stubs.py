"""Stand-ins for botocore and boto3, which have 17 MB: signatures that show their secret, and real frames of events."""

import json
import struct
import sys
from base64 import b64decode, b64encode
from binascii import crc32
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

_FRAME_HEADERS = ((":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event"))
_SIZES = struct.Struct(">II")
_NUMBER = struct.Struct(">I")


def framed(content: bytes) -> bytes:
    """Return server-sent events as AWS frames them. The rest of an event that is cut off becomes half a frame."""
    *whole, rest = content.split(b"\n\n")
    frames = b"".join(_frame(event.partition(b"data: ")[2]) for event in whole)
    return frames + (_frame(rest)[:20] if rest else b"")


def _frame(data: bytes) -> bytes:
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in _FRAME_HEADERS
    )
    payload = json.dumps({"bytes": b64encode(data).decode()}).encode()
    sizes = _SIZES.pack(16 + len(headers) + len(payload), len(headers))
    message = sizes + _NUMBER.pack(crc32(sizes)) + headers + payload
    return message + _NUMBER.pack(crc32(message))


class _Message:
    """As `botocore.eventstream.EventStreamMessage`."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload

    def to_response_dict(self) -> dict[str, Any]:
        return {"status_code": 200, "headers": dict(_FRAME_HEADERS), "body": self._payload}


class _Buffer:
    """As `botocore.eventstream.EventStreamBuffer`."""

    def __init__(self) -> None:
        self._data = b""

    def add_data(self, data: bytes) -> None:
        self._data += data

    def __iter__(self) -> Iterator[_Message]:
        while len(self._data) >= 12:
            size, headers = _SIZES.unpack_from(self._data)
            assert _NUMBER.unpack_from(self._data, 8) == (crc32(self._data[:8]),)
            if len(self._data) < size:
                return
            message, self._data = self._data[:size], self._data[size:]
            yield _Message(message[12 + headers : -4])


class _Parser:
    """As `botocore.parsers.EventStreamJSONParser`."""

    def parse(self, response: dict[str, Any], _shape: Any) -> dict[str, Any]:
        return {"chunk": {"bytes": b64decode(json.loads(response["body"])["bytes"])}}


class _Model:
    """As `botocore.loaders.Loader`, and as `botocore.model.ServiceModel`."""

    def __init__(self, *_: Any) -> None:
        pass

    def load_service_model(self, *_: Any) -> None:
        return None

    def shape_for(self, _name: str) -> None:
        return None


class _Credentials:
    def __init__(self, access: str, secret: str, token: str) -> None:
        self.access, self.secret, self.token = access, secret, token


class _Session:
    """As `boto3.Session` and `botocore.session.Session`, with the credentials that it was given."""

    def __init__(self, **given: Any) -> None:
        self.region_name = given.get("region_name")
        self._credentials = _Credentials(*(given.get(f"aws_{part}") or "" for part in _PARTS))

    def get_credentials(self) -> _Credentials:
        return self._credentials


_PARTS = ("access_key_id", "secret_access_key", "session_token")


class _Request:
    """As `botocore.awsrequest.AWSRequest`."""

    def __init__(self, *, headers: Any, **_: Any) -> None:
        self.headers = dict(headers)

    def prepare(self) -> "_Request":
        return self


class _Signer:
    """As `botocore.auth.SigV4Auth`, with a signature that shows the secret, so that a copy of it is found."""

    def __init__(self, credentials: _Credentials, *_: Any) -> None:
        self._credentials = credentials

    def add_auth(self, request: _Request) -> None:
        given = self._credentials
        request.headers |= {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={given.access}, Signature={given.secret}",
            "X-Amz-Date": f"{given.secret}-date",
            "X-Amz-Security-Token": given.token,
        }


class _Patched:
    """As botocore's classes that l0 patches. The anthropic SDK uses none of them."""

    def _make_api_call(self) -> None: ...

    def make_request(self) -> None: ...


def stub_aws(patch: pytest.MonkeyPatch) -> None:
    """Replace botocore and boto3."""
    botocore = ModuleType("botocore")
    modules = {
        "boto3": {"Session": _Session},
        "botocore.auth": {"SigV4Auth": _Signer},
        "botocore.awsrequest": {"AWSRequest": _Request},
        "botocore.credentials": {"Credentials": _Credentials},
        "botocore.eventstream": {"EventStreamBuffer": _Buffer},
        "botocore.loaders": {"Loader": _Model},
        "botocore.model": {"ServiceModel": _Model},
        "botocore.parsers": {"EventStreamJSONParser": _Parser},
        "botocore.client": {"BaseClient": _Patched},
        "botocore.endpoint": {"Endpoint": _Patched},
        "botocore.session": {"Session": _Session, "botocore": botocore},
    }
    patch.setitem(sys.modules, "botocore", botocore)
    for name, content in modules.items():
        module = ModuleType(name)
        vars(module).update(content)
        patch.setitem(sys.modules, name, module)
        if name.startswith("botocore."):
            setattr(botocore, name.partition(".")[2], module)
