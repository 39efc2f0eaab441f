"""Measure the cost of guardrails: `python -m benchmarks.guardrails` (`--tokens`, `--interval`, `--json`).

There is no provider and no other process: each rule and each preset reads the same made-up text. Each feed has the
tokens of one check interval. Rows are CPU time in microseconds per token, by length of the answer, and milliseconds of
single checks (median and 99th percentile) beside the limit for one check.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import count
from time import perf_counter, process_time

from l0.model.rule import Ending, Rule
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.guardrails.inspection import Inspection

Tokens = list[str]
LENGTHS = (2_000, 20_000, 100_000, 1_000_000)
LIMITS_MS = {"json": 0.1, "strict_json": 0.1, "markdown": 0.2, "pattern": 0.5}
"""Limits for one check of one rule."""
_PRESETS = ("minimal", "recommended", "strict", "json_only", "markdown_only", "latex_only")
_WORDS = tuple(f"{first}{last}" for first in "bcdfglmnprst" for last in ("ale", "en", "ilo", "om", "une", "arit"))
"""Made-up words: rules that search for phrases find none."""


def main() -> int:
    """Return 0 once everything is measured, whatever the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guardrails", description=__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=LENGTHS, help="lengths of the answers")
    parser.add_argument("--interval", type=int, default=5, help="tokens between two checks (default 5)")
    parser.add_argument("--json", action="store_true", help="print JSON, one object per row")
    args = parser.parse_args()
    for name, rules, answers in _rows(args.tokens):
        row = measure(name, rules, answers, args.interval)
        sys.stdout.write((json.dumps(row) if args.json else _line(row)) + "\n")
        sys.stdout.flush()
    return 0


def measure(name: str, rules: Sequence[Rule], answers: Sequence[Tokens], interval: int) -> dict[str, str | float]:
    """Return a row: CPU time per token in microseconds; median and 99th percentile of single checks in milliseconds."""
    feeds = [["".join(tokens[at : at + interval]) for at in range(0, len(tokens), interval)] for tokens in answers]
    best = min(_read(rules, feeds) for _ in range(3))
    inspection = Inspection(rules, interval)
    single = []
    for text in feeds[0][:4_000]:
        start = perf_counter()
        inspection.feed(text)
        single.append(perf_counter() - start)
    single.sort()
    return {
        "rules": name,
        "tokens": len(answers[0]),
        "us_per_token": round(best / sum(map(len, answers)) * 1e6, 3),
        "check_p50_ms": round(single[len(single) // 2] * 1e3, 4),
        "check_p99_ms": round(single[len(single) * 99 // 100] * 1e3, 4),
    }


def _read(rules: Sequence[Rule], answers: Sequence[Sequence[str]]) -> float:
    start = process_time()
    for feeds in answers:
        inspection = Inspection(rules)
        for text in feeds:
            inspection.feed(text)
        inspection.finish(Ending())
        del inspection  # so that the time includes freeing its memory
    return process_time() - start


def _rows(lengths: Sequence[int]) -> Iterator[tuple[str, Sequence[Rule], list[Tokens]]]:
    rules = {rule.name: (rule,) for rule in (*Guardrails.strict(), Guardrails.strict_json_rule())}
    for name, chosen in (*rules.items(), *((preset, Guardrails.preset(preset)) for preset in _PRESETS)):
        text = _json if name in {"json", "strict_json", "json_only"} else _prose
        for length in lengths:
            yield name, chosen, [text(length, seed) for seed in range(max(lengths) // length)]


@cache
def _prose(tokens: int, seed: int) -> Tokens:
    """Paragraphs, headings, lists, tables, code and mathematics, in tokens of one word each."""
    rnd = random.Random(seed)
    found: list[str] = []
    for number in count():
        if len(found) >= tokens:
            break
        words = [f" {rnd.choice(_WORDS)}" for _ in range(rnd.randrange(6, 18))]
        kind = number % 12
        if kind == 0:
            found += ["\n\n", "##", *words[:4], "\n\n"]
        elif kind == 1:
            found += ["\n", "-", *words[:8]] * 3
        elif kind == 2:
            found += ["\n```", "python", "\n", "print", "(", *words[:3], ")", "\n```\n"]
        elif kind == 3:
            found += ["\n| a", " | b |", "\n|---", "|---|", "\n|", words[0], " |", words[1], " |", "\n\n"]
        elif kind == 4:
            found += [" \\(", " \\", "frac", "{", "1", "}{", str(rnd.randrange(99)), "}", " \\)"]
        else:
            found += [*words, ".", "\n\n" if kind > 9 else ""]
    return found[:tokens]


@cache
def _json(tokens: int, seed: int) -> Tokens:
    """An array of objects, complete at the end."""
    rnd = random.Random(seed)
    found = ["["]
    while len(found) < tokens - 12:
        key, value = rnd.choice(_WORDS), rnd.choice(_WORDS)
        found += ['{"', key, '":', f' "{value}', " of", f" {value}", '",', ' "n":', f" {rnd.randrange(9999)}", "},"]
    return [*found, "0", "]"]


def _line(row: dict[str, str | float]) -> str:
    limit = LIMITS_MS.get(str(row["rules"]))
    beside = "" if limit is None else f", at most {limit} ms"
    return (
        f"{row['rules']:14} {row['tokens']:>9,} tokens {row['us_per_token']:8.3f} us per token; "
        f"a check: {row['check_p50_ms']:.4f} ms, p99 {row['check_p99_ms']:.4f} ms{beside}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
