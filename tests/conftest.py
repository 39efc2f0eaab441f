"""Fixtures of several test packages: a provider to call and a loop to call it from."""

import asyncio
import gc
import os
import re
import signal
from collections.abc import Generator, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import anthropic
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from installed import needs_chat_helpers, needs_responses, needs_server_tools, needs_trio
from server_time import ServerTime

from l0.config import CONFIG
from l0.simulator.server import Simulator
from l0.stainless import direct_proof, direct_reading, direct_verdicts, discovery
from l0.telemetry.call_log import CALL_LOG
from l0.testing import simulator

# How long an example takes, or takes to draw, says something of the machine and nothing of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of processes of ``-n auto``: half as many again as processors, since many tests wait."""
    processors = os.cpu_count() or 1
    return processors + processors // 2


@pytest.fixture(scope="session", autouse=True)
def environment_before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Yield the environment of the run. In that of the tests, clients trust no certificate authority.

    A client reads all authorities when it is made, which takes 50 times as long as the rest, and no test needs one.
    """
    before = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("authorities")))
        yield before


@pytest.fixture(scope="session", autouse=True)
def _transports_imported_once(environment_before: Mapping[str, str]) -> None:
    """Import the transports, which the SDKs import with their first client.

    A run of pytest within a test forgets the modules that it was the first to import. Imported again, the transport
    would raise errors that the SDK no longer knows.
    """
    openai.OpenAI(api_key="key").close()
    anthropic.Anthropic(api_key="key").close()


@pytest.fixture(scope="session", autouse=True)
def _proofs_have_time() -> Iterator[None]:
    """Let async answers wait for the proof of direct reading however slow the machine is: tests rely on its verdict."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(direct_verdicts, "LONGEST_WAIT_S", 120.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def _interrupts_end_processes() -> None:
    """Let Ctrl-C end the processes that tests start, which inherit that a run in the background ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _installed_once() -> Iterator[None]:
    """Read the entry points of the installed packages once, not twice in each test: they do not change."""
    found = discovery.entry_points_of(discovery.GROUP, discovery.PREFIX, discovery._BUILT_IN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "entry_points_of", lambda *_: found)
        yield


@pytest.fixture(scope="module", autouse=True)
def _bare_sdks_again() -> Iterator[None]:
    """Every file leaves the SDKs as it found them: which files share a process, and in which order, is chance."""
    yield
    assert not hasattr(openai.OpenAI.request, "__wrapped__"), "this file leaves l0 on"
    assert not hasattr(anthropic.Anthropic.request, "__wrapped__"), "this file leaves l0 on"
    assert not CONFIG.shared_state.slos.wanted, "this file leaves the objectives started, or a breaker that reads them"


@pytest.fixture(autouse=True)
def _log_lines_from_now() -> None:
    """Drop the log summaries of earlier tests, which would appear among the lines of this one."""
    CALL_LOG._rate_limiter.renew()


@pytest.fixture(scope="module")
def clock() -> Iterator[ServerTime]:
    """Virtual time for a file. Simulators and event loops that start later keep it: `usefixtures` starts it first."""
    made = ServerTime()
    with made.kept():
        yield made


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    """A simulated OpenAI and Anthropic, one for a whole file. A test that reads its ledger calls `reset()` first."""
    with simulator() as running:
        yield running


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for the async cases of a file, so that a client's connections outlive a case."""
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Record for each body whether it is read directly."""
    seen: list[bool] = []
    connection_of = direct_proof.connection_of  # imported before it is replaced: proofs are not recorded

    last: list[Any] = [None]

    def spied(stream: Any) -> Any:
        found = connection_of(stream)
        if stream is not last[0]:  # the first body of a kind is looked at twice: for its proof as well
            seen.append(found is not None)
        last[0] = stream
        return found

    monkeypatch.setattr(direct_reading, "connection_of", spied)
    return seen


NEEDS = (
    ({"responses"}, needs_responses),
    ({"chat", "helper"}, needs_chat_helpers),
    ({"chat", "server", "tool"}, needs_server_tools),
    ({"trio"}, needs_trio),
)
"""Words in the name of a case, and what it needs then of the installed SDKs."""
_LONGEST_ID = 80
"""The greatest length of a value in the name of a case, in characters."""


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a value by its class and the fields that differ from their defaults: `Policy(resume='exact')`.

    A huge number is named by its digits, and a long body by its size.
    """
    if isinstance(val, int) and abs(val) >= 10**_LONGEST_ID:
        return f"{len(str(abs(val)))} digits"
    if isinstance(val, bytes) and len(val) > _LONGEST_ID:
        return f"{len(val):,} bytes"
    if not is_dataclass(val) or isinstance(val, type):
        return None
    changed = [
        f"{each.name}={value!r}"
        for each in fields(val)
        if each.repr and (value := getattr(val, each.name)) != each.default
    ]
    name = f"{type(val).__name__}({', '.join(changed)})"
    return name if len(name) <= _LONGEST_ID and " at 0x" not in name else None


def pytest_sessionfinish() -> None:
    """Drop the log summaries of failures that tests wanted."""
    CALL_LOG._rate_limiter.renew()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cases of tables that need what an old SDK lacks are skipped, visibly. Names are the same in every process."""
    for item in items:
        assert " at 0x" not in item.name, f"this name has an address, and each test process another one: {item.nodeid}"
        words = set(re.split(r"\W+", item.name))
        for named, needs in NEEDS:
            if named <= words:
                item.add_marker(needs)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected: there is hardly any, and a third of the time would go into it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@given(st.none())
def _first_example(_: None) -> None: ...


def pytest_collection_finish() -> None:
    """Take all modules and test items out of the sight of the garbage collector.

    Tests collect in order to end dropped streams: a collection that visits 17,000 items takes a quarter of a second.
    Hypothesis draws once before: with its first example it looks for the owner of its random numbers, which it would
    no longer find on Python 3.14.
    """
    _first_example()
    gc.collect()
    gc.freeze()
