"""Provide the entry point of the explicit API: ``from l0 import l0``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from l0.model.policy import Policy

from . import structured_output, wrap
from .call_options import CallArguments
from .run import run, run_sync
from .stream import Stream
from .structured_output import Structured, StructuredStream, structured_array, structured_object
from .wrap import Client, Wrapped

_C = TypeVar("_C", bound=Client)
_T = TypeVar("_T")


class L0:
    """The explicit API as one callable, ``await l0(stream=...)``. Methods: `run` (the same as a call), `run_sync`,
    `wrap`; for values instead of text `structured`, `structured_object`, `structured_array`, `structured_stream`."""

    run = staticmethod(run)
    run_sync = staticmethod(run_sync)
    structured_object = staticmethod(structured_object)
    structured_array = staticmethod(structured_array)

    async def __call__(self, stream: Any, **options: Unpack[CallArguments]) -> Stream:
        """Run a stream, as `run`."""
        return await run(stream, **options)

    def __repr__(self) -> str:
        return "<function l0>"

    def __reduce__(self) -> str:
        """Pickle and copy the name, so that there is one object per process."""
        return "l0"

    def __dir__(self) -> list[str]:
        """Return the names of the package as well, all of which `__getattr__` resolves."""
        return sorted({*super().__dir__(), *dir(sys.modules["l0"])})

    if not TYPE_CHECKING:  # type checkers would accept any name

        def __getattr__(self, name: str) -> Any:
            """Return an attribute of the package: after ``import l0``, ``from l0 import l0`` binds the same name."""
            if name.startswith("__") and name != "__version__":
                raise AttributeError(name)  # a protocol, such as that of `copy`, looks for its hooks
            return getattr(sys.modules["l0"], name)

    # Methods instead of `staticmethod(...)` as above, which would lose the overloads.

    @overload
    def wrap(self, client: _C, /, policy: Policy | None = None, **fields: Any) -> _C: ...
    @overload
    def wrap(self, stream: Any, /, **options: Unpack[CallArguments]) -> Wrapped: ...
    def wrap(self, thing: Any, /, policy: Policy | None = None, **options: Any) -> Any:
        """Wrap a client or a stream, as `l0.streams.wrap.wrap`."""
        return wrap.wrap(thing, policy=policy, **options)

    @overload
    async def structured(self, schema: type[_T], stream: Any, **options: Unpack[CallArguments]) -> Structured[_T]: ...
    @overload
    async def structured(self, schema: Any, stream: Any, **options: Unpack[CallArguments]) -> Structured[Any]: ...
    async def structured(self, schema: Any, stream: Any, **options: Unpack[CallArguments]) -> Structured[Any]:
        """Request a value, as `structured_output.structured`."""
        return await structured_output.structured(schema, stream, **options)

    @overload
    async def structured_stream(
        self, schema: type[_T], stream: Any, **options: Unpack[CallArguments]
    ) -> StructuredStream[_T]: ...
    @overload
    async def structured_stream(
        self, schema: Any, stream: Any, **options: Unpack[CallArguments]
    ) -> StructuredStream[Any]: ...
    async def structured_stream(
        self, schema: Any, stream: Any, **options: Unpack[CallArguments]
    ) -> StructuredStream[Any]:
        """Request a value and stream it, as `structured_output.structured_stream`."""
        return await structured_output.structured_stream(schema, stream, **options)


l0 = L0()
