"""A warning points to the program's line, whatever of L0 lies between."""

import warnings

import pytest

from l0.model.caller_warning import caller_frame, warn_at, warn_caller


def test_warning_of_our_own_thread_points_to_our_code() -> None:
    with pytest.warns(RuntimeWarning, match="odd") as caught:
        warn_at(None, "odd")
    assert caught[0].filename.endswith("caller_warning.py") or caught[0].filename == __file__


def test_caller_warning_skips_frames_of_l0_and_dataclasses() -> None:
    namespace = {"__name__": "l0.somewhere", "caller_frame": caller_frame}
    exec("def inner():\n    return caller_frame()", namespace)
    outer = {"__name__": "dataclasses", "inner": namespace["inner"]}
    exec("def replace():\n    return inner()", outer)
    frame = outer["replace"]()  # type: ignore[operator]
    assert frame.f_code.co_filename == __file__


def test_one_place_warns_once_by_default() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            warn_caller("odd")
    assert len(caught) == 1
