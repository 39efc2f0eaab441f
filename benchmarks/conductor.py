"""Schedule the runs: one server, one process per variant, and the variants in turn within every round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from select import select
from typing import Any

from .cases import Case
from .variants import OWN

_ROOT = Path(__file__).parents[1]
_CASE_SECONDS = 300
"""A variant that takes longer for a case has failed in it."""

Samples = dict[str, dict[str, list[dict[str, Any]]]]
"""Results by case, variant and round."""


class Worker:
    """A process that runs cases of one variant."""

    def __init__(self, variant: str, python: Path) -> None:
        self._variant, self._python = variant, python
        self._process = _spawn(python, "benchmarks.worker", variant)

    def run(self, case: Case, origin: str) -> dict[str, Any]:
        """Return the result. If there is none, restart the worker and return the reason as ``failed``."""
        process = self._process
        try:
            process.stdin.write(json.dumps({"case": asdict(case), "origin": origin}) + "\n")
            process.stdin.flush()
            ready, _, _ = select([process.stdout], [], [], _CASE_SECONDS)
            line = process.stdout.readline() if ready else ""
            if line:
                result: dict[str, Any] = json.loads(line)
                return result
            reason = f"no answer within {_CASE_SECONDS} s" if not ready else "the process ended"
        except OSError as error:
            reason = str(error)
        self.close()
        self._process = _spawn(self._python, "benchmarks.worker", self._variant)
        return {"failed": reason}

    def close(self) -> None:
        """End the process."""
        _end(self._process)


def play(
    cases: tuple[Case, ...], variants: Mapping[str, Path], rounds: int, show_progress: Callable[[str], None]
) -> Samples:
    """Run every case ``rounds`` times with every variant, interleaved. ``variants``: interpreters by name.

    A variant that fails in a case does not run it again.
    """
    samples: Samples = {case.name: {variant: [] for variant in variants} for case in cases}
    with ExitStack() as stack:
        origins = stack.enter_context(server())
        workers = {name: Worker(name, python) for name, python in variants.items()}
        for worker in workers.values():
            stack.callback(worker.close)
        for case in cases:
            for number in range(rounds):
                show_progress(f"{case.name}: round {number + 1}")
                # In turn, and backwards in every other round: a machine that slows down affects all of them.
                for name in [name for name in workers if case.quick or name in OWN][:: -1 if number % 2 else 1]:
                    results = samples[case.name][name]
                    if any("events" not in result for result in results):
                        continue
                    results.append(_once(case, name, variants[name], workers[name], origins[case.server]))
    return samples


def _once(case: Case, name: str, python: Path, worker: Worker, origin: str) -> dict[str, Any]:
    if not case.fresh:
        return worker.run(case, origin)
    fresh = Worker(name, python)
    try:
        return fresh.run(case, origin)
    finally:
        fresh.close()


@contextmanager
def server() -> Iterator[dict[str, str]]:
    """Run the simulated providers in their own process. Yield their origins, by `cases.Server`."""
    process = _spawn(Path(sys.executable), "benchmarks.server")
    try:
        origins: dict[str, str] = json.loads(process.stdout.readline())
        yield origins
    finally:
        _end(process)


def _spawn(python: Path, module: str, *arguments: str) -> Any:
    return subprocess.Popen(
        [str(python), "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=_ROOT,
        env=_environment(python),
    )


def compiled_environment() -> dict[str, str]:
    """Return environment variables that let Python write compiled files, else each process would compile L0 again.

    An installed package has them.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _environment(python: Path) -> dict[str, str]:
    """Return the variables for an interpreter. Peers get no PYTHONPATH: it would hide the one that is called `l0`."""
    variables = compiled_environment()
    if python != Path(sys.executable):
        variables.pop("PYTHONPATH", None)
    return variables | {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True"
    }  # else litellm asks the network for prices when imported


def _end(process: Any) -> None:
    try:
        process.stdin.close()
        process.wait(timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        process.kill()
        process.wait()
