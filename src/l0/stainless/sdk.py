"""One installed SDK of the Stainless family: its modules, its transport, and how its own stream loop behaves.

Both SDKs are generated from one template and drift apart in private detail. Nothing here goes by version number: what
the loop does is found out by feeding it, once, at install.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from l0.fastpath.constructors import Constructors
from l0.fastpath.parameters import Parameters

_NAMED = (
    b"completion",
    b"message_start",
    b"message_delta",
    b"message_stop",
    b"content_block_start",
    b"content_block_delta",
    b"content_block_stop",
    b"response.probe",
    b"probe",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """How the SDK's own ``__stream__`` treats events.

    ``plain``: it hands over events without a name. ``names``: the named events that it hands over as they are, or
    ``None`` for all. ``wraps``: those that it wraps as ``{"data": ..., "event": ...}``. ``typed``: it adds a missing
    ``type``. ``leaks``: transport errors come through as they are.
    """

    plain: bool
    names: frozenset[bytes] | None
    wraps: frozenset[bytes]
    typed: bool
    leaks: bool


class Sdk:
    """Modules and classes of one installed SDK. ``name``: its import name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.package = sys.modules[name]
        self.base = sys.modules[f"{name}._base_client"]
        self.streaming = sys.modules[f"{name}._streaming"]
        self.models = sys.modules[f"{name}._models"]
        self.version: str = self.package.__version__

    @cached_property
    def transport(self) -> ModuleType:
        """httpx or httpx2, whichever the SDK's streams are made of."""
        found = getattr(self.streaming, "httpx2", None) or getattr(self.streaming, "httpx", None)
        if not isinstance(found, ModuleType):
            raise LookupError(f"{self.name} {self.version} streams over neither httpx nor httpx2")
        return found

    @property
    def transports(self) -> tuple[ModuleType, ...]:
        """All that a client may be built on: openai 3 takes clients of the old transport too."""
        others = [module for name in ("httpx", "httpx2") if (module := sys.modules.get(name)) is not None]
        return (self.transport, *(module for module in others if module is not self.transport))

    def transport_of(self, response: Any) -> ModuleType:
        """The transport that a response belongs to."""
        for module in self.transports:
            if isinstance(response, module.Response):
                return module
        return self.transport

    @cached_property
    def constructors(self) -> Constructors:
        """Compiled constructors of this SDK's models."""
        return Constructors(self.models)

    @cached_property
    def transforms(self) -> ModuleType | None:
        """The module that transforms requests' parameters by their annotations; ``None`` where the SDK has none."""
        return sys.modules.get(f"{self.name}._utils._transform")

    @cached_property
    def parameters(self) -> Parameters | None:
        """The compiled form of that transformation. First asked for before it is patched."""
        module = self.transforms
        return None if module is None else Parameters(module, sys.modules.get(f"{self.name}._types"))

    @cached_property
    def loop(self) -> Loop | None:
        """What the SDK's loop does; ``None`` where it is not the SDK's own, or behaves in no way that is known."""
        for name in ("Stream", "AsyncStream"):
            function = getattr(self.streaming, name).__dict__["__stream__"]
            if not isinstance(function, FunctionType) or function.__code__.co_filename != self.streaming.__file__:
                return None  # somebody's wrapper is there already, and wants to see every stream
        try:
            return self._probe()
        except Exception:  # any surprise means: not a loop that we know
            return None

    def _probe(self) -> Loop | None:
        names: set[bytes] = set()
        wraps: set[bytes] = set()
        typed = False
        plain = self._feed(b'data: {"a":1}\n\n') == [{"a": 1}]
        for name in _NAMED:
            got = self._feed(b'event: %s\ndata: {"a":1}\n\n' % name)
            if got == [{"data": {"a": 1}, "event": name.decode()}]:
                wraps.add(name)
            elif got == [{"a": 1}] or got == [{"a": 1, "type": name.decode()}]:
                names.add(name)
                typed = typed or len(got[0]) == 2  # "a" and the added "type"
            elif got:
                return None
        every = names | wraps >= set(_NAMED)
        return Loop(
            plain=plain, names=None if every else frozenset(names), wraps=frozenset(wraps), typed=typed,
            leaks=self._leaks(),
        )  # fmt: skip

    def _feed(self, body: bytes | Iterator[bytes]) -> list[Any]:
        """What the bare loop makes of a body."""
        request = self.transport.Request("POST", "http://probe.invalid/")
        response = self.transport.Response(200, content=body, request=request)
        client = SimpleNamespace(
            _process_response_data=lambda data, cast_to, response: data,  # noqa: ARG005
            _make_sse_decoder=self.streaming.SSEDecoder,
            _strict_response_validation=False,
        )
        stream = self.streaming.Stream(cast_to=object, response=response, client=client)
        bare = self.streaming.Stream.__dict__["__stream__"]
        return list(bare(stream))

    def _leaks(self) -> bool:
        def broken() -> Iterator[bytes]:
            raise self.transport.ReadError("probe")
            yield b""

        try:
            self._feed(broken())
        except self.transport.ReadError:
            return True
        except self.package.APIConnectionError:
            return False
        return True
