"""`make faults`: print a table of every fault of the failure catalogue, in every dialect, with every way to resume.

    python tests/faults/print_matrix.py [--dialect chat] [--rows 24-30] [--write FILE]

`_INTRO` explains the cells. The exit status is 1 if any result was silently wrong.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path

# What pytest does for the tests: their helpers' folders are on the path.
sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "traffic"), str(Path(__file__).parents[1])]

import anthropic
import openai
from fault_table import folded
from faults_kit import DIALECTS, Stage
from matrix import MODES, Cell, Matrix, every

import l0
from l0.testing import simulator

_INTRO = """# The result of every fault

Each row is one fault that the simulator injects. `make faults` makes calls over a real socket for each fault, dialect
and mode, in sync and async code. `#` is the row of the failure catalogue ([`rows.py`](../tests/faults/rows.py),
[`kinds.py`](../tests/faults/kinds.py)).

The last four columns, the modes, are values of `Policy.resume` ([details](limits.md)): what L0 does if an answer breaks
after a part of it was delivered.

| column | meaning |
|---|---|
| off | raise an exception; this is the behaviour without a policy |
| exact | send the request again, skip the delivered part, and raise if the new answer begins differently |
| prefill | send the part as the beginning of the model's answer; like `off` if dialect or model cannot continue it |
| splice | send the part as a finished answer, with a prompt to continue; like `off` if the dialect cannot |

A cell has the number of requests that the server received, the result for the user, and the class of the exception. It
names dialects (`chat`, `completions`, `responses`, `messages`) if their results differ. An empty cell is the same as
`off`. If a fault does not exist in every dialect, its row names those that have it, in parentheses.

| result | meaning |
|---|---|
| whole | the complete answer |
| partial | an exception, after a part of the answer |
| none | an exception, before any content |
| as sent | unusual but valid: passed on unchanged |
| error event | the SDK's own failure event, and an exception after it |
| differs | an exception at the final text, which differs from the deltas |
| UNSEEN | wrong, and no client can detect it |

An `InterruptedX` is an instance of the SDK's class `X` and of `l0.StreamInterrupted` ([errors](errors.md)).

"""
_SLASH = "Two results with a slash are those of sync and async code.\n\n"


@contextmanager
def staged() -> Iterator[Stage]:
    """A simulator and clients whose retries do not wait."""
    loop = asyncio.new_event_loop()
    for sdk in (openai, anthropic):
        sdk._base_client.INITIAL_RETRY_DELAY = 0.001
    with simulator() as sim:
        stage = Stage(sim, loop)
        with closing(stage):
            yield stage
    l0.uninstrument()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def shown(cells: list[Cell]) -> str:
    """Sync and async of one mode, in a few words."""
    words = [", ".join(filter(None, (f"{cell.requests} {cell.got}", cell.error))) for cell in cells]
    text = words[0] if words[0] == words[1] else " / ".join(words)
    return text if all(cell.wrong is None for cell in cells) else f"{text} !!!"


def lines(judged: Iterator[Cell]) -> Iterator[tuple[list[str], list[Cell]]]:
    """A line for each row and dialect: its columns, and what they were made of."""
    for (row, dialect), group in groupby(judged, lambda cell: (cell.row, cell.dialect)):
        cells = list(group)
        columns = [shown([cell for cell in cells if cell.mode == mode]) for mode in MODES]
        yield [str(row.number), row.name, dialect, *columns], cells


def report(cells: list[Cell], seconds: float) -> str:
    """The figures under the table."""
    rows = {(cell.row.number, cell.row.name) for cell in cells}
    got = Counter(cell.got for cell in cells)
    per_dialect = Counter(dialect for _, dialect in {(str(cell.row), cell.dialect) for cell in cells})
    kinds = ", ".join(f"{number:,} {name}" for name, number in got.most_common())
    dialects = ", ".join(f"{number} {name}" for name, number in per_dialect.items())
    return (
        f"{len(cells):,} calls in {seconds:.0f} s; {len(rows)} rows ({dialects})\n"
        f"{kinds}\n{sum(cell.wrong is not None for cell in cells)} silently wrong"
    )


def main() -> int:
    """Return the exit code: 0 if no result was silently wrong."""
    options = _arguments()
    first, _, last = options.rows.partition("-")
    numbers = range(int(first), int(last or first) + 1)
    chosen = [(row, name) for row, name in every() if row.number in numbers and options.dialect in ("", name)]
    if not chosen:
        sys.stderr.write(f"--rows {options.rows} --dialect {options.dialect}: no such cell\n")
        return 2
    began = time.monotonic()
    cells: list[Cell] = []
    written: list[list[str]] = []
    with staged() as stage:
        for columns, judged in lines(Matrix(stage, chosen).judged()):
            cells += judged
            written.append(columns)
            print(f"{columns[0]:>3} {columns[1]:38} {columns[2]:12} " + " ".join(f"{one:34}" for one in columns[3:]))
    for cell in cells:
        if cell.wrong is not None:
            flavour = "sync" if cell.sync else "async"
            print(f"WRONG: {cell.row}, {cell.dialect}, {flavour}, {cell.mode}: {cell.wrong}")
    print(f"\n{report(cells, time.monotonic() - began)}")
    if options.write:
        table = "\n".join(folded(written, len(DIALECTS)))
        options.write.write_text(f"{_INTRO}{_SLASH if ' / ' in table else ''}{table}\n", encoding="utf-8")
    return int(any(cell.wrong is not None for cell in cells))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialect", default="", choices=("", *DIALECTS), help="one dialect only")
    parser.add_argument("--rows", default="1-61", help="rows of the catalogue, as in 24-30")
    parser.add_argument("--write", type=Path, help="write the table to this file, as Markdown")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
