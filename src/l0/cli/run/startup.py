"""Instrument a process as it starts, before the first line of its program. Nothing here may stop the program."""

from __future__ import annotations

import os
import sys
import warnings

_STARTED = "_L0_RUN_STARTED"
"""Environment variable: set once the first process of a run has started. Its children repeat no warnings."""


def start() -> None:
    """Call `l0.instrument()`, with the settings of the environment. Write one line to stderr if that fails."""
    first = os.environ.setdefault(_STARTED, str(os.getpid())) == str(os.getpid())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        try:
            from l0.stainless.discovery import instrument

            instrument()
        except Exception as error:
            report(f"this process is NOT instrumented: {type(error).__name__}: {error}")
    for warning in caught if first else []:
        report(str(warning.message))


def report(message: str) -> None:
    """Write one line to stderr, if there is one."""
    if sys.stderr is not None:
        print(f"l0 run: {message}", file=sys.stderr, flush=True)
