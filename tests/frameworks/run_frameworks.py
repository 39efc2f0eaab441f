"""Run frameworks over l0, each in an environment of its own, against the simulator: `make test-frameworks`.

    python tests/frameworks/run_frameworks.py [NAME ...]

Prints a line per framework, and every check that failed. Status 0: all were run, and all checks passed except the known
limits; 1: something failed, or an environment is missing.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from catalogue import FRAMEWORKS, Framework

ROOT = Path(__file__).resolve().parents[2]
LONGEST_RUN_S = 900
"""Only a hang takes as long."""
Check = tuple[str, str | None]


def run(framework: Framework) -> bool:
    """Check one framework, alone and beside its tracers, and print what was found. Return True if all is well."""
    folder = f".venv-frameworks/{framework.name}"
    prepare = [sys.executable, "scripts/environment.py", folder, "[openai,otlp]", *framework.requirements]
    if subprocess.run(prepare, cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode:
        print(f"{framework.name}: NOT RUN, it has no environment", flush=True)
        return False
    versions, lines = "", []
    passed = failed = 0
    for order in [(), *((tracer, place) for tracer in framework.tracers for place in ("before", "after"))]:
        versions, checks = _checked(framework, order)
        limits = framework.limits if order else {}
        for name, problem in checks:
            passed += problem is None
            if problem is not None and name in limits:
                lines.append(f"  known {' '.join((*order, name))}: {limits[name]}")
            elif problem is not None or name in limits:
                failed += 1
                lines.append(f"  WRONG {' '.join((*order, name))}: {problem or 'it passes, so it is no limit'}")
    print(f"{framework.name} ({versions}): {passed} checks passed, {failed} failed")
    print(*lines, sep="\n", end="\n" if lines else "", flush=True)
    return not failed


def _checked(framework: Framework, order: Sequence[str]) -> tuple[str, list[Check]]:
    """Return the installed versions, and the checks with their problems."""
    python = ROOT / ".venv-frameworks" / framework.name / "bin" / "python"
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results.json"
        command = [python, Path(__file__).with_name("check_framework.py"), framework.name, results, *order]
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=LONGEST_RUN_S, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            return "", [("run", f"no end after {LONGEST_RUN_S} s")]
        if not results.is_file():
            return "", [("run", f"status {ended.returncode}: {ended.stderr[-2000:]}")]
        found = json.loads(results.read_text())
    return ", ".join(found["versions"]), [(name, problem) for name, problem in found["checks"]]


def main(names: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    unknown = set(names) - {framework.name for framework in FRAMEWORKS}
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 1
    good = [run(framework) for framework in FRAMEWORKS if not names or framework.name in names]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
