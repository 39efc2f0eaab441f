"""Run the SDKs' own test suites bare and under `l0.instrument()`, and compare.

    python tests/journeys/sdk_suites/compare_suites.py [--quick] [--workers N] [SDK ...]

What passes bare must pass instrumented, but for the tests in `differences.toml`. Uses the SDKs of the interpreter that
runs it, which needs `requirements.txt`. Status 0: the list says exactly what happened; 1: it does not; 2: the sources
of an SDK cannot be had.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from differences import Verdict, compare, read
from sdists import UnavailableError, unpacked
from suites import SUITES, Outcomes, Runner

_MOST_AGAIN = 300
"""Above this many surprises chance is no explanation, and a second look would take too long."""


def check(sdk: str, *, quick: bool, workers: int) -> Verdict:
    """Compare both runs of one SDK's suite. Raises `UnavailableError`."""
    installed = version(sdk)
    runner = Runner(sdk=sdk, folder=unpacked(sdk, installed, SUITES[sdk].folder), workers=workers)
    parts = runner.parts(quick=quick)
    listed = [test for one in read() if one.applies(sdk, installed) for test in one.tests]
    bare = runner.run(parts, instrumented=False)
    instrumented = runner.run(parts, instrumented=True)
    verdict = compare(bare, instrumented, listed, parts)
    if verdict.unmeant and len(verdict.unmeant) <= _MOST_AGAIN:
        bare, instrumented = _again(runner, verdict.unmeant, bare, instrumented)
        verdict = compare(bare, instrumented, listed, parts)
    return verdict


def _again(runner: Runner, tests: Sequence[str], bare: Outcomes, instrumented: Outcomes) -> tuple[Outcomes, Outcomes]:
    """A second look, one after the other: some of their tests depend on the time that the machine takes."""
    alone = Runner(sdk=runner.sdk, folder=runner.folder)
    return (
        {**bare, **alone.run(tests, instrumented=False)},
        {**instrumented, **alone.run(tests, instrumented=True)},
    )


def is_installed(sdk: str) -> bool:
    """Return True if this interpreter has the SDK."""
    try:
        version(sdk)
    except PackageNotFoundError:
        return False
    return True


def report(sdk: str, verdict: Verdict) -> None:
    """Say what was found."""
    print(
        f"{sdk} {version(sdk)}: {verdict.bare} tests pass bare, {verdict.equal} of them instrumented as well, "
        f"{len(verdict.meant)} differ as listed, {len(verdict.unmeant)} differ unlisted, "
        f"{len(verdict.stale)} entries of the list are wrong",
        flush=True,
    )
    for test in verdict.unmeant:
        print(f"  UNLISTED {test}")
    for entry in verdict.stale:
        print(f"  STALE    {entry}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Compare the SDKs' own tests, bare and under l0.instrument().")
    parser.add_argument("sdks", nargs="*", metavar="SDK", help=f"of {', '.join(SUITES)}; by default all installed ones")
    parser.add_argument("--quick", action="store_true", help="only the parts that `make test` runs")
    parser.add_argument("--workers", type=int, default=0, help="processes beside each other; 0: none")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.sdks) - set(SUITES))
    if unknown:
        parser.error(f"SDK: {unknown[0]!r} is not one of {', '.join(SUITES)}")
    good = True
    for sdk in given.sdks or (sdk for sdk in SUITES if is_installed(sdk)):
        try:
            verdict = check(sdk, quick=given.quick, workers=given.workers)
        except UnavailableError as error:
            print(error, file=sys.stderr)
            return 2
        report(sdk, verdict)
        good = good and verdict.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
