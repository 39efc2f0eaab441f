"""`make fuzz`: libFuzzer generates bodies, guided by code coverage, and `bytes_oracle` judges them.

    python tests/fuzz/fuzz_bytes.py [-max_total_time=SECONDS] [libFuzzer's other options]

Inputs that reach new code are stored in .cache/fuzz, and the next run starts from them. An input that breaks a rule is
stored there as `crash-…`, `timeout-…` or `oom-…`, and ends the run. To try one input, pass its file as an argument.
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
"""Limits of libFuzzer, such as an input's bytes and seconds. A read takes microseconds: ten seconds are a hang."""


def try_one(data: bytes) -> None:
    """Raise an AssertionError for an input that breaks a rule."""
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
    """Return a word in the form of libFuzzer's dictionaries: every byte as a number."""
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
