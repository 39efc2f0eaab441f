"""The table in docs/errors.md lists every value of `StreamInterrupted.reason`."""

from pathlib import Path

from l0.model.failure import CATEGORIES, Cause, Failure

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"
UNEXPLAINED = {
    Cause.FIRST_CONTENT_TIMEOUT: "no content within `Timeout.initial_token`",
    Cause.STALLED: "no further content within `Timeout.inter_token`",
    Cause.DEAD: "no bytes at all within `Timeout.liveness`",
    Cause.TOTAL_TIMEOUT: "the whole call took longer than `Timeout.total`",
    Cause.TRUNCATED: "the stream ended without its terminal event",
    Cause.EMPTY: "the answer has no content",
    Cause.NOT_A_STREAM: "the server reported success, but sent no answer",
    Cause.OUT_OF_ORDER: "the events of the answer contradict each other",
    Cause.GUARDRAIL_VIOLATION: "a guardrail or a schema rejected the answer",
    Cause.DRIFT: "drift was detected",
    Cause.DIVERGED: "a resumed answer differs from the delivered part",
    Cause.BREAKER_OPEN: "the circuit breaker is open",
    Cause.LOCAL: "raised in your process, outside the wire",
    Cause.UNKNOWN: "not known",
    Cause.SOURCE_ERROR: "a source of the explicit API raised an exception of an unknown kind",
}
"""Causes whose messages depend on the case."""


def row(cause: Cause) -> str:
    meaning = UNEXPLAINED.get(cause) or Failure(cause=cause).message
    return f"| `{cause.value}` | {CATEGORIES[cause].value} | {meaning} |"


def test_every_reason_is_documented() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    missing = [row(cause) for cause in Cause if row(cause) not in lines]
    assert not missing, "add to docs/errors.md:\n" + "\n".join(missing)


def test_every_documented_reason_exists() -> None:
    lines = PAGE.read_text("utf-8").split("| `reason` |")[1].splitlines()
    names = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert names == [cause.value for cause in Cause]
