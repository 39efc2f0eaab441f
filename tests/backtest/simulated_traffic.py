"""Real calls to the simulator in virtual time: the real SDK, L0 and sockets, on a clock that jumps."""

import asyncio
import random
import sys
from collections.abc import Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import openai
import pytest
from virtual_time import VirtualLoop, load_engine

import l0
from l0.config import CONFIG
from l0.model.policy import Policy
from l0.recording import recorder
from l0.shared_state.breaker import Breakers
from l0.shared_state.shared import SharedState
from l0.simulator.faults import Fault
from l0.simulator.pacing import Delays
from l0.simulator.server import Simulator
from l0.simulator.simulator_config import SimulatorConfig

T = TypeVar("T")
DELAYS = Delays(first_token_ms=400, inter_token_ms=20, sigma=0.4, stragglers=0.1, straggler_factor=6)
FAULTS = (
    (0.05, Fault.status(503)),
    (0.02, Fault.status(429)),
    (0.04, Fault.reset(at_event=0)),
    (0.04, Fault.reset(at_event=5)),
    (0.03, Fault.clean_end(at_event=6)),
)
"""Shares of the requests that fail in these ways."""
BLOCK = 1000
"""Requests in which these shares are exact. Two runs then differ by little but the policy: with independent failures,
successes of 2,000 calls would spread by two points."""
PER_SECOND = 4.0
_DAY = 86_400 * 20_000.0


class _SocketLoop(VirtualLoop):
    """A virtual loop for code with sockets: what is sent over loopback can be received at once."""

    def __init__(self) -> None:
        super().__init__()
        jump, wait = self._clock.select, super(type(self._clock), self._clock).select

        def select(timeout: float | None = None) -> Any:
            return wait(None) if timeout is None else wait(0) or jump(timeout)

        self._clock.select = select  # type: ignore[method-assign]

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads however long they take: a timeout would jump to its end at once."""
        await super().shutdown_default_executor()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time, which is the time of L0 as well."""
    load_engine()
    with asyncio.Runner(loop_factory=_SocketLoop) as runner, pytest.MonkeyPatch.context() as patch:
        loop = runner.get_loop()
        for name, module in list(sys.modules.items()):
            if name.startswith("l0.") and isinstance(module, ModuleType) and hasattr(module, "perf_counter"):
                patch.setattr(module, "perf_counter", loop.time)
        patch.setattr(recorder, "time", lambda: _DAY + loop.time())
        return runner.run(main)


def script(number: int, seed: int) -> list[Fault]:
    """Return the faults of at least as many requests, in an order that depends on the seed."""
    rng = random.Random(seed)
    failing = [fault for share, fault in FAULTS for _ in range(round(share * BLOCK))]
    block = [*failing, *[Fault()] * (BLOCK - len(failing))]
    return [fault for _ in range(0, number, BLOCK) for fault in rng.sample(block, BLOCK)]


def record(folder: Path, policy: Policy, calls: int, seed: int) -> None:
    """Make calls under a policy, and record them."""
    shared, CONFIG.shared_state = CONFIG.shared_state, SharedState()
    l0.instrument(policy, record=folder, direct=False)  # a call would wait for the proof, which runs in real time
    try:
        run(_calls(calls, seed))
    finally:
        l0.uninstrument()
        CONFIG.shared_state = shared


async def _calls(calls: int, seed: int) -> None:
    CONFIG.shared_state.breakers = Breakers(asyncio.get_running_loop().time)
    server = Simulator(SimulatorConfig(seed=seed, delays=DELAYS))
    await server.start()
    server.script(*script(4 * calls, seed))
    rng = random.Random(seed)
    async with openai.AsyncOpenAI(base_url=server.openai, api_key="key", max_retries=2) as client:

        async def one(start: float) -> None:
            await asyncio.sleep(start)
            try:
                messages: Any = [{"role": "user", "content": "hello"}]
                stream: Any = await client.chat.completions.create(model="m", messages=messages, stream=True)
                async for _ in stream:
                    pass
            except openai.APIError:
                pass

        at = 0.0
        async with asyncio.TaskGroup() as group:
            for _ in range(calls):
                at += rng.expovariate(PER_SECOND)
                group.create_task(one(at))
    await server.stop()
