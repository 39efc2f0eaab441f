"""The first call imports what serves it, wherever it is made."""

import os
import subprocess
import sys

import pytest

from l0.simulator.faults import Fault
from l0.simulator.server import Simulator

SETUP = """
import sys, threading
import openai
import l0
{instrument}
interrupted = l0.StreamInterrupted
client = openai.OpenAI(api_key="k", base_url=sys.argv[1], max_retries=0)

def call():
    # the server resets the connection: the kind of the error says who read the stream
    try:
        list(client.chat.completions.create(model="m", messages=[{{"role": "user", "content": "hi"}}], stream=True))
    except Exception as error:
        return "l0" if isinstance(error, interrupted) else "sdk"

class During:
    # calls a function in the middle of the import of a module of l0
    def __init__(self, name, function):
        self.name, self.function = name, function

    def find_spec(self, name, path=None, target=None):
        if name == self.name:
            self.name = None
            self.function()
"""

THREADS = """
start, results = threading.Barrier(6), []
def run():
    start.wait()
    results.append(call())
threads = [threading.Thread(target=run) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(*results)
"""

INTERRUPTED = """
inner = []
sys.meta_path.insert(0, During("l0.runtime.call_runtime", lambda: inner.append(call())))
print(call(), *inner, call())
"""

EXITING = """
import atexit
client.chat.completions  # openai 2 imports its resources here, with a thread pool: at exit it cannot, even without l0
class Late:
    def __del__(self):
        print("del", call() is None, flush=True)
openai.late = Late()
atexit.register(lambda: print("atexit", call(), flush=True))
"""

FINALIZED = """
class Late:
    def __init__(self, call): self.call = call
    def __del__(self): print(self.call(), flush=True)
sys.late = Late(call)
"""

REMOVED = """
for name in [name for name in sys.modules if name.partition(".")[0] in {packages}]:
    del sys.modules[name]
{again}
print(call(), call())
"""

FORKED = """
import os
client.default_headers  # the SDK asks for the platform once, under locks that a fork in the middle would leave locked
import encodings.idna, importlib.resources.readers  # so does the transport for these, whether L0 is on or not
from l0.shared_state.forks import ForkGate
ForkGate.LONGEST_WAIT_S = 100.0  # on a slow machine, the import takes longer than forks usually wait
importing, forked = threading.Event(), threading.Event()
def pause():
    importing.set()
    forked.wait(0.2)  # the fork waits for the import, so this is never set in time
sys.meta_path.insert(0, During("l0.runtime.call_runtime", pause))
def report():
    os.write(1, (call() + "\\n").encode())  # at once: two processes write
thread = threading.Thread(target=report)
thread.start()
importing.wait()
child = os.fork()
if not child:
    report()
    os._exit(0)
forked.set()
thread.join()
assert os.waitpid(child, 0)[1] == 0
"""


def run(sim: Simulator, program: str, calls: int, instrument: str = "l0.instrument()") -> str:
    sim.script(*[Fault.reset(at_event=5)] * calls)
    done = subprocess.run(
        [sys.executable, "-c", SETUP.format(instrument=instrument) + program, sim.openai],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Traceback" not in done.stderr
    return done.stdout.strip()


def test_threads_that_make_the_first_call_together_are_all_served(sim: Simulator) -> None:
    assert run(sim, THREADS, 6) == "l0 l0 l0 l0 l0 l0"


def test_call_of_a_signal_handler_or_finalizer_during_the_import_is_the_sdks(sim: Simulator) -> None:
    assert run(sim, INTERRUPTED, 3) == "l0 sdk l0"


def test_first_call_at_exit_is_served(sim: Simulator) -> None:
    assert run(sim, EXITING, 2).splitlines()[0] == "atexit l0"


def test_first_call_of_a_finalizer_at_the_very_end_does_not_break(sim: Simulator) -> None:
    assert run(sim, FINALIZED, 1) in ("l0", "sdk", "")


@pytest.mark.parametrize("instrument", ["l0.instrument()", "l0.instrument(l0.Policy(timeout=l0.Timeout()))"])
@pytest.mark.parametrize("packages", [("l0", "l0_openai", "l0_anthropic"), ("l0",)], ids=["all", "core"])
@pytest.mark.parametrize("again", ["", "import l0"], ids=["removed", "imported again"])
def test_copy_that_was_removed_before_its_first_call_still_serves(
    sim: Simulator, packages: tuple[str, ...], again: str, instrument: str
) -> None:
    program = REMOVED.format(packages=packages, again=again)
    assert run(sim, program, 2, instrument) == "l0 l0"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_child_forked_during_the_first_call_is_served(sim: Simulator) -> None:
    assert run(sim, FORKED, 2).split() == ["l0", "l0"]
