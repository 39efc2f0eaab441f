"""Measure the cost at the start of a process: `import l0`, and the first `l0.instrument()`, with and without the SDKs.

`python -m benchmarks.startup` starts fresh processes, with the cases in turn. It prints the lowest CPU time and the
median of each case.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from .conductor import compiled_environment

ROUNDS = 20
_TIMED = """
import sys
from time import process_time
{before}
began = process_time()
import l0
imported = process_time()
l0.instrument()
print(imported - began, process_time() - imported)
"""
_CASES = {"a bare process": "", "after openai and anthropic": "import anthropic, openai"}


def _milliseconds(before: str) -> list[float]:
    """Return the times of `import l0` and of `l0.instrument()` in a fresh process. ``before``: code to run first."""
    command = [sys.executable, "-c", _TIMED.format(before=before)]
    printed = subprocess.run(command, env=compiled_environment(), capture_output=True, text=True, check=True).stdout
    return [float(seconds) * 1e3 for seconds in printed.split()]


def main() -> None:
    """Print one line per case and step."""
    found: dict[str, list[list[float]]] = {case: [] for case in _CASES}
    for turn in range(ROUNDS + 1):
        for case, before in _CASES.items():
            times = _milliseconds(before)
            if turn:  # the first turn writes the compiled files
                found[case].append(times)
    for case, rounds in found.items():
        for step, times in zip(("import l0", "l0.instrument()"), zip(*rounds, strict=True), strict=True):
            print(f"{case}, {step}: {min(times):.1f} ms, median {median(times):.1f} ms")


if __name__ == "__main__":
    main()
