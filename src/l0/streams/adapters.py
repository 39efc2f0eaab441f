"""Adapters turn the items of a source into events. The first item of a source selects its adapter.

Your adapter is a class with a name, a test and a decoder::

    class Lines:
        name = "lines"

        def recognizes(self, item: object) -> bool:
            return isinstance(item, bytes)

        def decoder(self) -> Decoder:
            return LineDecoder()


    class LineDecoder:
        has_pending = False  # no event needs more than one line

        def decode(self, item: bytes) -> list[Event]:
            return [Event(EventType.TOKEN, item.decode())]

        def is_complete(self) -> bool | None:
            return None  # only the end of the source shows that the answer is complete

        def metadata(self) -> ResponseMetadata:
            return ResponseMetadata()


    register_adapter(Lines())
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol
from warnings import warn

from l0.dialects.chat import CHAT
from l0.dialects.messages import MESSAGES
from l0.dialects.responses import RESPONSES
from l0.model.call_events import ResponseMetadata
from l0.model.policy import PolicyError
from l0.shared_state.forks import renew_in_child
from l0.stainless.declared_dialects import declared_dialects

from .decoders.delta_decoder import DeltaDecoder
from .decoders.litellm_decoder import LitellmDecoder
from .former_adapter import FormerAdapter
from .stream_events import Event, UnknownStreamError


class Decoder(Protocol):
    """A decoder for the items of one attempt. It receives each item once, in order."""

    @property
    def has_pending(self) -> bool:
        """Return True if content has begun that becomes an event only when it is complete, such as a tool call.

        False if each item becomes its events at once. An answer with pending content is not resumed: a continuation
        would repeat or lose it.
        """
        ...

    def decode(self, item: Any) -> Sequence[Event]:
        """Return the events of one item, or ``[]``. Raise ``ValueError`` for an item that cannot be read: the attempt
        has failed, and is retried. A mistake in your code, such as an ``AttributeError``, ends the call.

        Text is an `Event` of type ``TOKEN``. Collect the parts of a tool call, and return one event of type
        ``TOOL_CALL`` with a `ToolCall` as ``data`` when the call is complete. An event of type ``ERROR`` fails the
        attempt.
        """
        ...

    def is_complete(self) -> bool | None:
        """Return True if the items so far prove that the answer is complete, such as by a finish reason.

        False: answers of this provider state their end, and this one has not done so yet. The end of the source is then
        an error (``truncated``). ``None``: items never state it, so an answer is complete when its source ends.
        """
        ...

    def metadata(self) -> ResponseMetadata:
        """Return the metadata that the provider sent with the answer: model, finish reasons, tokens."""
        ...


class Adapter(Protocol):
    """An adapter for one kind of source, which it recognizes by an item. Immutable, and shared by all calls."""

    @property
    def name(self) -> str:
        """Return the name that error messages use, and that a call has as its provider on spans and for observers."""
        ...

    def recognizes(self, item: object) -> bool:
        """Return True if ``item``, the first of a source, is of this kind. Check type and attributes; import no SDK."""
        ...

    def decoder(self) -> Decoder:
        """Return a new decoder, for one attempt."""
        ...


_CHAT_DIALECTS = frozenset(("chat", "completions"))


def _package(item: object) -> str:
    return type(item).__module__.partition(".")[0]


def _has_fields_of_chat(item: object) -> bool:
    return hasattr(item, "choices") or getattr(item, "type", None) == "chunk"


def _has_fields_of_responses(item: object) -> bool:
    kind = getattr(item, "type", None) or getattr(item, "object", None)
    return isinstance(kind, str) and (kind.startswith("response") or kind == "error")


class _Litellm:
    name = "litellm (completions of any provider)"

    def recognizes(self, item: object) -> bool:
        return _package(item) == "litellm" and hasattr(item, "choices")

    def decoder(self) -> Decoder:
        return LitellmDecoder()


class _Chat:
    name = "openai (chat completions, completions)"

    def recognizes(self, item: object) -> bool:
        if _package(item) != "openai":
            return False
        if type(item).__module__.startswith(("openai.types.chat", "openai.types.completion")):
            return True  # whatever fields this object has
        return _has_fields_of_chat(item)

    def decoder(self) -> Decoder:
        return DeltaDecoder(CHAT)


class _Responses:
    name = "openai (responses)"

    def recognizes(self, item: object) -> bool:
        if _package(item) not in ("openai", "litellm"):
            return False
        if type(item).__module__.startswith("openai.types.responses"):
            return True
        return _has_fields_of_responses(item)

    def decoder(self) -> Decoder:
        return DeltaDecoder(RESPONSES)


class _Messages:
    name = "anthropic (messages)"

    def recognizes(self, item: object) -> bool:
        if type(item).__module__.startswith("anthropic.types"):
            return True
        return _package(item) == "anthropic" and isinstance(getattr(item, "type", None), str)

    def decoder(self) -> Decoder:
        return DeltaDecoder(MESSAGES)


class _DeclaredChat:
    """An adapter for the SDKs that classes of providers declare. Fields are checked first, which costs less."""

    name = "SDKs that a provider's class declares (chat completions, completions)"

    def recognizes(self, item: object) -> bool:
        return _has_fields_of_chat(item) and not _CHAT_DIALECTS.isdisjoint(declared_dialects(type(item).__module__))

    def decoder(self) -> Decoder:
        return DeltaDecoder(CHAT)


class _DeclaredResponses:
    """As `_DeclaredChat`."""

    name = "SDKs that a provider's class declares (responses)"

    def recognizes(self, item: object) -> bool:
        return _has_fields_of_responses(item) and "responses" in declared_dialects(type(item).__module__)

    def decoder(self) -> Decoder:
        return DeltaDecoder(RESPONSES)


class _Events:
    """An adapter for items that already are events, such as those of another L0 stream."""

    name = "events (l0.Event)"

    def recognizes(self, item: object) -> bool:
        return isinstance(item, Event)

    def decoder(self) -> Decoder:
        return _EventDecoder()


class _EventDecoder:
    has_pending = False

    def decode(self, item: Any) -> Sequence[Event]:
        return (item,)

    def is_complete(self) -> bool | None:
        return None

    def metadata(self) -> ResponseMetadata:
        return ResponseMetadata()


def check_adapter(adapter: object) -> None:
    """Raise `PolicyError` for anything that is not an `Adapter`."""
    missing = [name for name in ("name", "recognizes", "decoder") if not hasattr(adapter, name)]
    if missing or isinstance(adapter, type):
        raise PolicyError("adapter", adapter, f"an object with name, recognizes and decoder; lacks {missing}")


class Registry:
    """The adapters, those of the application first. Reading needs no lock, since `register` replaces the tuple."""

    def __init__(self) -> None:
        self.renew()
        renew_in_child(self)
        self._registered: tuple[Adapter, ...] = ()
        self._built_in: tuple[Adapter, ...] = (
            *(_Chat(), _Litellm(), _Responses(), _Messages(), _Events()),
            *(_DeclaredChat(), _DeclaredResponses()),
        )

    def renew(self) -> None:
        """Replace the lock in a forked child, because another thread of the parent may hold it."""
        self._lock = threading.RLock()

    def register(self, adapter: Adapter) -> None:
        """Add ``adapter`` before all others. It replaces one of the same name."""
        if hasattr(adapter, "recognises") and not hasattr(adapter, "recognizes"):
            warn(
                "an adapter's recognises is now recognizes; begun, whole and facts of its decoder are now "
                "has_pending, is_complete and metadata",
                DeprecationWarning,
                stacklevel=3,
            )
            adapter = FormerAdapter(adapter)
        check_adapter(adapter)
        with self._lock:
            self._registered = (adapter, *(other for other in self._registered if other.name != adapter.name))

    def is_built_in(self, adapter: Adapter) -> bool:
        """Return True for an adapter of L0, whose name is that of an SDK, not of a provider."""
        return adapter in self._built_in

    def find(self, item: object) -> Adapter | None:
        """Return the adapter that recognizes ``item``, or ``None``."""
        return next((one for one in (*self._registered, *self._built_in) if one.recognizes(item)), None)

    def unknown(self, thing: object, where: str) -> UnknownStreamError:
        """Return the error for an item or a source that no adapter recognizes."""
        kind = type(thing)
        names = "; ".join(one.name for one in (*self._registered, *self._built_in))
        return UnknownStreamError(
            f"{where} is a {kind.__module__}.{kind.__qualname__}, which no adapter recognizes. Supported are sync and "
            f"async iterators of text, and of the items of: {names}. l0.register_adapter() adds an adapter."
        )


ADAPTERS = Registry()


def register_adapter(adapter: Adapter) -> None:
    """Add an adapter for another kind of source. Raises `PolicyError` if it is not an `Adapter`."""
    ADAPTERS.register(adapter)
