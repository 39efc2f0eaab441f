"""`make fuzz`: libFuzzer makes up bodies, guided by which of our code they reach; `bytes_oracle` judges them.

    python tests/fuzz/fuzz_bytes.py [-max_total_time=SECONDS] [libFuzzer's other options]

What reached new code is kept in .cache/fuzz, where the next run begins. An input that breaks a rule is written beside
it, as `crash-…`, `timeout-…` or `oom-…`, and ends the run; given as an argument, a run tries that one alone.
"""

import sys
from pathlib import Path

import atheris

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "fuzz"
sys.path[:0] = [str(HERE), str(HERE.parent / "fidelity")]

with atheris.instrument_imports(include=["l0.wire", "l0_openai", "l0_anthropic"]):
    import bytes_oracle

import bytes_seeds  # noqa: E402

LIMITS = ["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]
"""Bytes of an input, seconds that one may take: a read costs microseconds, and a second is a hang."""


def try_one(data: bytes) -> None:
    """Raises for an input that breaks a rule."""
    found = bytes_oracle.difference(data)
    assert found is None, found


def main() -> None:
    """Run libFuzzer; it ends the process."""
    corpus = CACHE / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(bytes_seeds.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = CACHE / "words.txt"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in bytes_seeds.WORDS))
    given = sys.argv[1:]
    alone = any(not argument.startswith("-") for argument in given)
    places = [f"-artifact_prefix={CACHE}/", f"-dict={words}", *([] if alone else [str(corpus)])]
    atheris.Setup([sys.argv[0], *LIMITS, *places, *given], try_one)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    """As libFuzzer's dictionaries have it: every byte by its number."""
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
