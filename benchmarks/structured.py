"""Measure the cost of structured output: `python -m benchmarks.structured` (`--tokens`, `--json`).

There is no provider and no other process: made-up texts are read, in tokens of four characters, and the cost is CPU
time. The scanner reads pieces of several sizes; the JSON rules, partial values and a repair read answers of several
lengths.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from time import process_time

from l0.model.rule import Ending, Rule
from l0.rules.guardrails.json_rules import json_rule, strict_json_rule
from l0.rules.structured.json_scanner import JsonScanner
from l0.rules.structured.partial import PartialValue
from l0.rules.structured.repair import repair_json

LENGTHS = (2_000, 20_000, 100_000, 1_000_000)
FEEDS = (4, 20, 1_000, 100_000)
"""Characters of a piece."""
_TOKEN = 4
"""Characters of a token."""
_WORDS = ("amber", "brook", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jetty")
Row = dict[str, str | float]


def main() -> int:
    """Return 0 once everything is measured, whatever the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structured", description=__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=LENGTHS, help="lengths of the answers")
    parser.add_argument("--json", action="store_true", help="print JSON, one object per row")
    args = parser.parse_args()
    for row in rows(args.tokens):
        line = f"{row['what']:<26}{row['of']:<22}{row['cost']:>10.3f} {row['unit']}"
        sys.stdout.write((json.dumps(row) if args.json else line) + "\n")
        sys.stdout.flush()
    return 0


def rows(lengths: Iterable[int]) -> Iterator[Row]:
    """Yield the row of each measurement as soon as it is made."""
    text = answer(100_000)
    for size in FEEDS:
        pieces = cut(text, size)
        cost = seconds(lambda pieces=pieces: _scan(pieces)) / len(text) * 1e9
        yield {"what": "scanner", "of": f"pieces of {size}", "cost": cost, "unit": "ns/character"}
    for length in lengths:
        for name, made in (("JSON", answer(length)), ("prose", prose(length)), ("fence", fenced(length))):
            tokens = cut(made, _TOKEN)
            yield _per_token(f"json rule, {name}", tokens, lambda tokens=tokens: _check(json_rule(), tokens))
        tokens = cut(answer(length), _TOKEN)
        yield _per_token("strict json rule, JSON", tokens, lambda tokens=tokens: _check(strict_json_rule(), tokens))
        yield _per_token("partial values", tokens, lambda tokens=tokens: _partial(tokens))
        broken = answer(length)[:-20]
        yield _per_token("repair, once at the end", tokens, lambda broken=broken: repair_json(broken))


def _per_token(what: str, tokens: list[str], run: Callable[[], object]) -> Row:
    return {"what": what, "of": f"{len(tokens)} tokens", "cost": seconds(run) / len(tokens) * 1e6, "unit": "us/token"}


def seconds(run: Callable[[], object], least: float = 0.3) -> float:
    """Return the CPU time of the fastest run, in seconds, of at least three runs and ``least`` seconds in all."""
    best, total, times = float("inf"), 0.0, 0
    while total < least or times < 3:
        began = process_time()
        run()
        took = process_time() - began
        best, total, times = min(best, took), total + took, times + 1
    return best


def answer(tokens: int) -> str:
    """Return JSON of about this many tokens: records with short and long strings, numbers, words and lists."""
    chance = random.Random(tokens)
    records = []
    size = 0
    while size < tokens * _TOKEN:
        note = " ".join(chance.choices(_WORDS, k=chance.randint(3, 40)))
        tags = chance.sample(_WORDS, k=3)
        record = {
            "id": len(records),
            "name": tags[0],
            "tags": tags,
            "price": chance.randint(1, 10**6) / 100,
            "note": note,
        }
        records.append(record | {"open": chance.random() < 0.5, "parent": None})
        size += len(json.dumps(records[-1])) + 2
    return json.dumps(records)


def prose(tokens: int) -> str:
    """Return text without JSON, but with the brackets, backticks and lists that texts have."""
    chance = random.Random(tokens)
    lines = []
    size = 0
    while size < tokens * _TOKEN:
        line = " ".join(chance.choices(_WORDS, k=12)) + chance.choice((".", ":", " [1].", " `x[0]`.", " (see {it})."))
        lines.append(chance.choice(("", "", "- ", "## ")) + line)
        size += len(lines[-1]) + 1
    return "\n".join(lines)


def fenced(tokens: int) -> str:
    """Return JSON in a fence, after prose."""
    return f"Here it is:\n\n```json\n{answer(tokens)}\n```\n"


def cut(text: str, size: int) -> list[str]:
    """Return a text in pieces of this many characters."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def _scan(pieces: list[str]) -> None:
    feed = JsonScanner().feed
    for piece in pieces:
        feed(piece)


def _check(rule: Rule, tokens: list[str]) -> None:
    check = rule.check()
    for token in tokens:
        check.feed(token)
    check.finish(Ending())


def _partial(tokens: list[str]) -> None:
    partial = PartialValue()
    for token in tokens:
        partial.feed(token)
    partial.finish()


if __name__ == "__main__":
    raise SystemExit(main())
