"""Measure the cost of recording, beside that of vcrpy: `python -m benchmarks.recording` (`--rounds`).

Streams of two lengths, and answers in one piece, are read through the real SDK from a transport that has them in
memory, one chunk per read. The additional chunks of the longer stream give the cost per chunk; the shorter stream, of
50 chunks, has its own row. Each recorder is measured in its own process: batches of calls without and with it, in turn.
The processes run in turn as well, for several rounds. The caller's cost is the CPU time of the thread that makes the
calls; the total includes the thread that writes. vcrpy reads an answer to its end before the caller gets any of it, and
writes its cassette when the cassette is closed: here after each batch, within the measured time.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time, thread_time
from typing import Any

from .in_memory import REQUEST, streaming_client, whole_client
from .report import machine
from .variants import BARE, FULL, SILENT, switch_on

SHORT, LONG = 50, 450
BATCH = 10
"""Calls of a batch."""
PAIRS = {"vcrpy": 6, "l0": 30, "l0 with OpenTelemetry": 30}
"""Pairs of batches in a process. The bare SDK, which vcrpy records, takes ten times as long for a batch."""
PER_CHUNK_US, PER_CALL_US = 1.0, 100.0
"""The most that recording may cost the caller."""
RECORDERS = {"vcrpy": BARE, "l0": SILENT, "l0 with OpenTelemetry": FULL}
"""Recorders, each with the variant whose calls it records."""
_RESULT = Path(__file__).parent / "results" / "recording.json"
_VERSIONS = ("l0-otel", "openai", "vcrpy")

Batches = dict[str, list[list[float]]]
"""Microseconds per call, by workload. Of each pair: the caller's and the total without a recorder, and with it."""
Recording = Callable[[], AbstractContextManager[object]]


def main() -> int:
    """Return 0 if everything was measured, whatever the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each recorder is measured (default 5)")
    parser.add_argument("--recorder", choices=RECORDERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.recorder:
        sys.stdout.write(json.dumps(_measure(args.recorder)))
        return 0
    found: dict[str, list[Batches]] = {name: [] for name in RECORDERS}
    for number in range(args.rounds):
        for name in [*RECORDERS][:: -1 if number % 2 else 1]:  # a machine that slows down affects all of them
            found[name].append(_apart(name))
    report = {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "rounds": args.rounds,
        "versions": {name: version(name) for name in _VERSIONS},
        "recorders": {name: _figures(rounds) for name, rounds in found.items()},
    }
    _RESULT.parent.mkdir(exist_ok=True)
    _RESULT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table(report) + "\n")
    return 0


def _apart(recorder: str) -> Batches:
    command = [sys.executable, "-m", "benchmarks.recording", "--recorder", recorder]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{recorder}: {done.stderr.strip()[-500:]}")
    batches: Batches = json.loads(done.stdout)
    return batches


def _measure(recorder: str) -> Batches:
    """Return the costs of all batches in this process."""
    switch_on(RECORDERS[recorder])
    with TemporaryDirectory() as folder, (_vcrpy if recorder == "vcrpy" else _l0)(Path(folder)) as recording:
        works = {
            "whole": _read_whole(whole_client(SHORT)),
            "short": _read_stream(streaming_client(SHORT)),
            "long": _read_stream(streaming_client(LONG)),
        }
        return {name: _pairs(call, recording, PAIRS[recorder]) for name, call in works.items()}


@contextmanager
def _vcrpy(folder: Path) -> Iterator[Recording]:
    import vcr

    numbers = count()
    yield lambda: vcr.use_cassette(str(folder / f"{next(numbers)}.yaml"), record_mode="all")
    assert len([*folder.iterdir()]) == next(numbers)


@contextmanager
def _l0(folder: Path) -> Iterator[Recording]:
    import l0
    from l0.config import CONFIG
    from l0.recording.recording import Recording as Recorded

    l0.instrument(record=folder)
    shared: Any = CONFIG.shared_state
    recorder, shared.recorder = shared.recorder, None

    @contextmanager
    def recording() -> Iterator[None]:
        shared.recorder = recorder
        yield
        recorder.flush()
        shared.recorder = None

    yield recording
    shared.recorder = recorder
    l0.uninstrument()
    with Recorded.open(folder) as recorded:
        assert not any(call.incomplete or not call.attempts[0].reads for call in recorded)


def _read_stream(client: Any) -> Callable[[], None]:
    def read() -> None:
        for _ in client.chat.completions.create(**REQUEST, stream=True):
            pass

    return read


def _read_whole(client: Any) -> Callable[[], None]:
    return lambda: client.chat.completions.create(**REQUEST)


def _pairs(call: Callable[[], None], recording: Recording, pairs: int) -> list[list[float]]:
    """Return the costs of pairs of batches, after one pair that fills caches."""
    return [[*_cost(call, nullcontext), *_cost(call, recording)] for _ in range(1 + pairs)][1:]


def _cost(call: Callable[[], None], recording: Recording) -> tuple[float, float]:
    """Return the microseconds per call of one batch: of this thread, and of all."""
    gc.collect()
    on_thread, in_process = thread_time(), process_time()
    with recording():
        for _ in range(BATCH):
            call()
    return (thread_time() - on_thread) / BATCH * 1e6, (process_time() - in_process) / BATCH * 1e6


def _figures(rounds: Sequence[Batches]) -> dict[str, Any]:
    """Return min and median of what recording adds, and of its ratio, by clock and by chunk, stream and whole call."""
    found: dict[str, Any] = {}
    for clock, name in enumerate(("caller", "total")):
        costs = {work: [[(pair[clock], pair[clock + 2]) for pair in one[work]] for one in rounds] for work in rounds[0]}
        found[name] = {
            "min": _by_unit({work: _least(pairs) for work, pairs in costs.items()}),
            "median": _by_unit({work: _middle(pairs) for work, pairs in costs.items()}),
        }
    return found


Pair = tuple[float, float]
"""Microseconds without a recorder, and with it."""


def _least(rounds: Sequence[Sequence[Pair]]) -> Pair:
    """Return the fastest batches of all rounds."""
    pairs = [pair for one in rounds for pair in one]
    return min(without for without, _ in pairs), min(recorded for _, recorded in pairs)


def _middle(rounds: Sequence[Sequence[Pair]]) -> Pair:
    """Return the median without a recorder, and that plus the median of the differences within the pairs."""
    pairs = [pair for one in rounds for pair in one]
    without = median(pair[0] for pair in pairs)
    return without, without + median(recorded - without for without, recorded in pairs)


def _by_unit(costs: Mapping[str, Pair]) -> dict[str, dict[str, float]]:
    chunk = [(long - short) / (LONG - SHORT) for long, short in zip(costs["long"], costs["short"], strict=True)]
    units = {"chunk": chunk, "stream": [*costs["short"]], "whole call": [*costs["whole"]]}
    return {
        unit: {"without_us": without, "added_us": recorded - without, "ratio": recorded / without}
        for unit, (without, recorded) in units.items()
    }


def table(report: Mapping[str, Any]) -> str:
    """Return the report for a terminal."""
    machine = report["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines = [
        f"recording: {machine['cpu']}, {machine['cores']} cores, {machine['system']}, {machine['python']}; {versions}",
        f"{report['rounds']} rounds, interleaved, {report['taken']}; µs of CPU: min (median)",
        f"{'recorder':24} {'thread':8} {'of a':12} {'without':>10} {'adds':>20} {'ratio':>14}",
    ]
    for name, clocks in report["recorders"].items():
        for clock, found in clocks.items():
            lines += [_line(name, clock, unit, found) for unit in found["min"]]
        if name != "vcrpy":
            lines.append(f"{name}: {_verdict(clocks['caller']['min'])}")
    return "\n".join(lines)


def _line(name: str, clock: str, unit: str, found: Mapping[str, Any]) -> str:
    least, middle = found["min"][unit], found["median"][unit]
    adds = f"{least['added_us']:+.2f} ({middle['added_us']:+.2f})"
    ratio = f"{least['ratio']:.2f} ({middle['ratio']:.2f})"
    return f"{name:24} {clock:8} {unit:12} {least['without_us']:10.1f} {adds:>20} {ratio:>14}"


def _verdict(units: Mapping[str, Mapping[str, float]]) -> str:
    stream = units["stream"]["added_us"] - SHORT * units["chunk"]["added_us"]
    call = max(stream, units["whole call"]["added_us"])
    met = units["chunk"]["added_us"] <= PER_CHUNK_US and call <= PER_CALL_US
    target = f"target {PER_CHUNK_US:.0f} µs per chunk, {PER_CALL_US:.0f} µs per call for the caller"
    return f"{target}: {'met' if met else 'MISSED'}"


if __name__ == "__main__":
    raise SystemExit(main())
