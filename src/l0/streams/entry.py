"""The door to the explicit API: ``from l0 import l0``."""

from __future__ import annotations

from typing import Any, TypeVar, Unpack, overload

from l0.values.policy import Policy

from . import structuring, wrapping
from .options import Options
from .running import run, run_sync
from .stream import Stream
from .structuring import Structured, StructuredStream, structured_array, structured_object
from .wrapping import Client, Wrapped

_C = TypeVar("_C", bound=Client)
_T = TypeVar("_T")


class L0:
    """``await l0(stream=...)``, and what else there is to call: `run` (the same), `run_sync`, `wrap`, and for values in
    place of text `structured`, `structured_object`, `structured_array`, `structured_stream`."""

    run = staticmethod(run)
    run_sync = staticmethod(run_sync)
    structured_object = staticmethod(structured_object)
    structured_array = staticmethod(structured_array)

    async def __call__(self, stream: Any, **options: Unpack[Options]) -> Stream:
        """As `run`."""
        return await run(stream, **options)

    def __repr__(self) -> str:
        return "<function l0>"

    # Written out, since `staticmethod` forgets overloads.

    @overload
    def wrap(self, client: _C, /, policy: Policy) -> _C: ...
    @overload
    def wrap(self, stream: Any, /, **options: Unpack[Options]) -> Wrapped: ...
    def wrap(self, thing: Any, /, policy: Policy | None = None, **options: Any) -> Any:
        """As `wrapping.wrap`."""
        return wrapping.wrap(thing, policy=policy, **options)

    @overload
    async def structured(self, schema: type[_T], stream: Any, **options: Unpack[Options]) -> Structured[_T]: ...
    @overload
    async def structured(self, schema: Any, stream: Any, **options: Unpack[Options]) -> Structured[Any]: ...
    async def structured(self, schema: Any, stream: Any, **options: Unpack[Options]) -> Structured[Any]:
        """As `structuring.structured`."""
        return await structuring.structured(schema, stream, **options)

    @overload
    async def structured_stream(
        self, schema: type[_T], stream: Any, **options: Unpack[Options]
    ) -> StructuredStream[_T]: ...
    @overload
    async def structured_stream(
        self, schema: Any, stream: Any, **options: Unpack[Options]
    ) -> StructuredStream[Any]: ...
    async def structured_stream(self, schema: Any, stream: Any, **options: Unpack[Options]) -> StructuredStream[Any]:
        """As `structuring.structured_stream`."""
        return await structuring.structured_stream(schema, stream, **options)


l0 = L0()
