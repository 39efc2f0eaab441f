"""Test kit: a simulated provider, and recorded calls as a provider, for tests of code that calls one."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from l0.model.option_names import refuses_unknown_options
from l0.replay.replay_script import Match
from l0.replay.replay_server import ReplayOptions, ReplayServer
from l0.simulator.access import RateLimits
from l0.simulator.latency_profiles import profile
from l0.simulator.pacing import Delays
from l0.simulator.server import Simulator
from l0.simulator.simulator_config import SimulatorConfig
from l0.simulator.simulator_thread import SimulatorThread


@refuses_unknown_options
def simulator(
    *,
    seed: int = 0,
    delays: Delays | str | None = None,
    traffic_dir: str | PathLike[str] | None = None,
    port: int = 0,
    host_names: Iterable[str] = (),
    api_keys: Iterable[str] = (),
    models: Iterable[str] = (),
    context_tokens: int | None = None,
    requests_per_minute: int | None = None,
    input_tokens_per_minute: int | None = None,
) -> SimulatorThread[Simulator]:
    """Return a simulated OpenAI and Anthropic server on loopback, for a `with` or `async with` block.

    It runs in its own thread until the block ends. `seed` determines ids, delays and the choice of faults. `delays`:
    None for no delays, or the name of a model in `l0.simulator.latency_profiles`. `traffic_dir`: a directory of
    recorded streams to play. `port`: 0 for a free port. `host_names`: further names that requests may carry in their
    `Host` header. `api_keys`, `models`, `context_tokens`, `requests_per_minute` and `input_tokens_per_minute` refuse
    requests as a provider does, with 401, 404, 400 and 429; by default every request is served. Use `.openai` or
    `.anthropic` as the `base_url` of a client, `.script(…)` to define the next answers, and `.on(…)` to match answers
    to requests. The block raises `l0.simulator.simulator_config.SimulatorError` if the server cannot start.
    """
    config = SimulatorConfig(
        port=port,
        seed=seed,
        delays=profile(delays) if isinstance(delays, str) else delays,
        traffic_dir=None if traffic_dir is None else Path(traffic_dir),
        host_names=_names(host_names),
        api_keys=_names(api_keys),
        models=_names(models),
        context_tokens=context_tokens,
        rate_limits=RateLimits(
            requests_per_minute=requests_per_minute, input_tokens_per_minute=input_tokens_per_minute
        ),
    )
    return SimulatorThread(Simulator(config))


@refuses_unknown_options
def replay(
    path: str | PathLike[str],
    *,
    call: str | None = None,
    speed: float = 1.0,
    match: Match = "body",
    port: int = 0,
) -> SimulatorThread[ReplayServer]:
    """Return a server on loopback that serves recorded calls as a provider, for a `with` or `async with` block.

    `path`: a recording, or a folder of them. `call`: only this call, by its id, the beginning of it, its trace id, or
    "last". `speed`: `math.inf` for no waits between the reads. `match`: "body" finds the recorded attempt by method,
    path and body; "order" by method and path. Each attempt answers one request, also that of another client or SDK
    version; `.reset()` begins again. A request without a recorded answer gets status 404, with the nearest recorded
    request in its message, which `.unmatched` lists as well. Raises `l0.recording.recording.RecordingError` if there is
    no recording or no such call, and `ValueError` for a value that is not allowed.
    """
    options = ReplayOptions(call=call, speed=speed, match=match)
    return SimulatorThread(ReplayServer(path, options, SimulatorConfig(port=port)))


def _names(names: Iterable[str]) -> tuple[str, ...]:
    # A tuple of a single string would make each letter a name. The configuration rejects the string itself.
    return names if isinstance(names, str) else tuple(names)  # type: ignore[return-value]
