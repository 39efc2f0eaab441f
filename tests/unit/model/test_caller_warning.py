"""A warning points to the program's line, whatever of L0 lies between."""

import warnings
from threading import Thread

from l0.model.caller_warning import CallerLine, caller_line, warn_caller


def test_caller_warning_skips_frames_of_l0_and_dataclasses() -> None:
    own = {"__name__": "l0.somewhere", "caller_line": caller_line}
    exec("def inner():\n    return caller_line()", own)
    library = {"__name__": "dataclasses", "inner": own["inner"]}
    exec("def replace():\n    return inner()", library)
    assert library["replace"]().file == __file__  # type: ignore[operator]


def test_a_thread_without_a_line_of_the_program_still_has_one() -> None:
    found: list[CallerLine] = []
    thread = Thread(target=lambda: found.append(caller_line()))
    thread.start()
    thread.join()
    assert found[0].line > 0


def test_one_line_warns_once_by_default() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            warn_caller("odd")
    assert len(caught) == 1
