import threading
import warnings
from queue import SimpleQueue

from l0.stainless.unenforced_limit import UnenforcedLimit


def test_a_call_warns_once_at_the_line_that_waits():
    unenforced_limit = UnenforcedLimit()
    with warnings.catch_warnings(record=True, action="always") as found:
        unenforced_limit.warn()
        unenforced_limit.warn()
    assert [warning.filename for warning in found] == [__file__]


def test_another_thread_warns_at_the_line_of_the_waiting_one():
    unenforced_limit = UnenforcedLimit()
    with warnings.catch_warnings(record=True, action="always") as found:
        warning = threading.Thread(target=unenforced_limit.warn)
        warning.start()
        warning.join()  # this line waits, below frames of `threading`
    assert [warning.filename for warning in found] == [__file__]


def test_a_filter_that_raises_harms_no_watchdog():
    unenforced_limit, raised = UnenforcedLimit(), SimpleQueue()

    def warn() -> None:
        try:
            unenforced_limit.warn()
        except BaseException as error:
            raised.put(error)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn()
    assert raised.empty()


def test_a_thread_that_is_gone_has_no_line(caplog):
    unenforced_limit = UnenforcedLimit()
    unenforced_limit.thread = -1
    with warnings.catch_warnings(record=True, action="always") as found:
        unenforced_limit.warn()
    assert found == []
    assert caplog.text.count("a time limit has passed") == 1
