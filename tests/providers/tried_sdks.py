"""The SDKs of other providers that the tests try, and what is special about each."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from typing import Any

import pytest
from faults_kit import Stage
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import l0
from l0.simulator.server import Simulator
from l0.stainless.openai_api_instrumentor import OpenAiApiInstrumentor
from l0_compatible.declared_sdks import (
    CerebrasInstrumentor,
    FireworksInstrumentor,
    GroqInstrumentor,
    TogetherInstrumentor,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedSdk:
    """One SDK. ``client``: the name of its sync client. ``options``: arguments of clients besides key and URL.

    ``raises_as_openai``: False for an SDK whose own loop raises no error for an error inside a stream, or whose
    transport hands on larger parts, so that some faults come before the first content. ``left_to_sdk``: what
    `l0 doctor` says of types that have no compiled constructor. ``share_of_calls``: of the bare SDK's function calls
    for a token, the share that is left.
    """

    instrumentor: type[OpenAiApiInstrumentor]
    client: str
    dialects: tuple[str, ...] = ("chat", "completions")
    options: Mapping[str, Any] = field(default_factory=dict)
    raises_as_openai: bool = True
    share_of_calls: float = 0.2
    left_to_sdk: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.instrumentor.distribution

    @property
    def package(self) -> Any:
        """The SDK's package. Skips the test if it is not installed."""
        name = self.instrumentor.sdk_name
        if find_spec(name.partition(".")[0]) is None or find_spec(name) is None:
            pytest.skip(f"{self} is not installed here: make test-providers has an environment with it")
        return import_module(name)

    def make_client(self, origin: str, *, sync: bool = True, **options: Any) -> Any:
        """Return a client of the simulator."""
        kind = getattr(self.package, self.client if sync else f"Async{self.client}")
        return kind(api_key="k", base_url=origin, **{**self.options, **options})


_UNION = (
    "built by the SDK's own code, which is correct but slower: Union: no field discriminates the variants of the union"
)
TRIED = (
    TriedSdk(instrumentor=GroqInstrumentor, client="Groq", dialects=("chat",)),
    TriedSdk(
        instrumentor=CerebrasInstrumentor,
        client="Cerebras",
        options={"warm_tcp_connection": False},
        share_of_calls=1,
        left_to_sdk=(_UNION,),
    ),
    TriedSdk(instrumentor=TogetherInstrumentor, client="Together"),
    TriedSdk(instrumentor=FireworksInstrumentor, client="Fireworks", raises_as_openai=False),
)


class ProviderStage(Stage):
    """A `Stage` for one of these SDKs."""

    def __init__(self, sim: Simulator, loop: asyncio.AbstractEventLoop, tried: TriedSdk) -> None:
        self.sim = sim
        self.loop = loop
        self.tried = tried
        self.exporter = InMemorySpanExporter()
        self._provider = TracerProvider()
        self._provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self._clients = {
            ("openai", sync): tried.make_client(sim.origin, sync=sync, timeout=10) for sync in (True, False)
        }

    def arguments(self, create: Any, request: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of ``create``: those that it does not know go into the body all the same."""
        known = signature(create).parameters
        others = {name: value for name, value in request.items() if name not in known}
        return {name: value for name, value in request.items() if name in known} | {"extra_body": others}

    def on(self, policy: l0.Policy | None = None) -> None:
        """Switch l0 on, with spans."""
        instrumentor = self.tried.instrumentor()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(tracer_provider=self._provider)
        l0.instrument(policy)
