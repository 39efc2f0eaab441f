"""Run the test suite of L0 for Python (the distribution ``ai2070-l0``) by its names against this package.

    python tests/former/run_former_suite.py [PYTEST ARGUMENT ...]

It downloads the source of that distribution, of which nothing is kept here, and prints by file how many tests pass. The
interpreter that runs it has this package, pytest and pytest-asyncio. Fails if fewer pass than `AT_LEAST`.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "former"
VERSION = "0.21.1"
AT_LEAST = 440
"""The number of its tests that pass. It may only rise."""
RESULT = re.compile(r"^(PASSED|FAILED|ERROR) (tests/[\w/]+\.py)(?:::(\S+))?", re.MULTILINE)
GROUPS = {
    "Calls: streams, retries, callbacks, state": "canonical_spec client lifecycle lifecycle_canonical "
    "namespace_pollution retry runtime state stream tool_observability types benchmark",
    "Functions of texts: JSON, continuation, drift": "utils continuation drift",
    "Guardrails": "guardrails",
    "Values, windows, several calls, consensus": "structured window parallel race_parallel consensus",
    "Pipelines and pools": "pipeline pool",
    "Adapters and multimodal events": "adapters multimodal",
    "Classes of errors": "errors",
    "Events, monitoring, metrics, event sourcing": "events event_parity event_signatures eventsourcing logging metrics "
    "monitoring",
    "Adapters of JSON Schema": "json_schema",
    "Format, Text, Compare, models, state machine": "format_namespace formatting_context formatting_memory "
    "formatting_output formatting_strings formatting_tools normalize comparison pydantic_models state_machine",
}
"""The files of the suite by group, as docs/migration.md explains them."""


def source() -> Path:
    """Download and unpack the source, if it is not there. Return its folder."""
    unpacked = FOLDER / f"ai2070_l0-{VERSION}"
    if not unpacked.is_dir():
        FOLDER.mkdir(parents=True, exist_ok=True)
        wanted = ["--no-deps", "--no-binary", ":all:", "--dest", str(FOLDER), f"ai2070-l0=={VERSION}"]
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *wanted], check=True)
        with tarfile.open(FOLDER / f"ai2070_l0-{VERSION}.tar.gz") as packed:
            packed.extractall(FOLDER, filter="data")
    return unpacked


def run(suite: Path, arguments: list[str]) -> str:
    """Run the suite outside of its own source, and return what pytest prints."""
    folder = FOLDER / "suite"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(suite / "tests", folder / "tests")
    shutil.copy(suite / "pyproject.toml", folder)
    options = ["-q", "-p", "former_names", "-p", "no:cacheprovider", "-W", "ignore", "--tb=no", "-rA"]
    command = [sys.executable, "-m", "pytest", *options, "--continue-on-collection-errors", *arguments]
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    return done.stdout


def outcomes(output: str) -> dict[str, list[bool]]:
    """Return the results of the tests by the name of their file: True if a test passed."""
    found: dict[tuple[str, str], bool] = {}
    for result, file, test in RESULT.findall(output):
        passed = found.get((file, test), True) and result == "PASSED"
        found[file, test] = passed
    by_file: dict[str, list[bool]] = {}
    for (file, _), passed in found.items():
        by_file.setdefault(Path(file).stem.removeprefix("test_"), []).append(passed)
    return by_file


def main() -> None:
    """Print how many tests pass, by file and by group."""
    output = run(source(), sys.argv[1:])
    files = outcomes(output)
    for file, results in sorted(files.items()):
        print(f"{sum(results):5} of {len(results):4}  {file}")
    print()
    for group, names in GROUPS.items():
        results = [passed for name in names.split() for passed in files.pop(name, [])]
        print(f"{sum(results):5} of {len(results):4}  {group}")
    passed = sum(map(sum, outcomes(output).values()))
    print(f"{passed:5} pass; at least {AT_LEAST} are expected")
    print(output.strip().splitlines()[-1])
    if files:
        print(f"in no group: {', '.join(files)}")
    if (passed < AT_LEAST or files) and not sys.argv[1:]:
        sys.exit(1)


if __name__ == "__main__":
    main()
