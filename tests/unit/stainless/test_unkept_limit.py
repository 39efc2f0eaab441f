import threading
import warnings
from queue import SimpleQueue

from l0.stainless.unkept_limit import UnkeptLimit


def test_a_call_warns_once_at_the_line_that_waits():
    unkept = UnkeptLimit()
    with warnings.catch_warnings(record=True, action="always") as found:
        unkept.warn()
        unkept.warn()
    assert [warning.filename for warning in found] == [__file__]


def test_another_thread_warns_at_the_line_of_the_waiting_one():
    unkept = UnkeptLimit()
    with warnings.catch_warnings(record=True, action="always") as found:
        warning = threading.Thread(target=unkept.warn)
        warning.start()
        warning.join()  # this line waits, below frames of `threading`
    assert [warning.filename for warning in found] == [__file__]


def test_a_filter_that_raises_harms_no_watchdog():
    unkept, raised = UnkeptLimit(), SimpleQueue()

    def warn() -> None:
        try:
            unkept.warn()
        except BaseException as error:
            raised.put(error)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn()
    assert raised.empty()


def test_a_thread_that_is_gone_has_no_line():
    unkept = UnkeptLimit()
    unkept.thread = -1
    unkept.warn()
