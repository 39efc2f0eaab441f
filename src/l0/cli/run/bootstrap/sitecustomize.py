"""Imported by every Python process under `l0 run`, because its folder comes first in ``PYTHONPATH``.

First, it removes that folder from ``sys.path``, and runs the environment's own ``sitecustomize``, which it hides.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

_HERE = Path(__file__).parent


def _run_hidden_sitecustomize() -> None:
    sys.path[:] = [folder for folder in sys.path if not folder or Path(folder) != _HERE]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = sys.modules["sitecustomize"] = module_from_spec(spec)
    spec.loader.exec_module(module)


def _start_l0() -> None:
    try:
        from l0.cli.run.startup import start
    except Exception as error:
        if sys.stderr is not None:
            reason = f"l0 cannot be imported ({type(error).__name__}: {error})"
            print(f"l0 run: {sys.executable}: {reason}; this process is NOT instrumented", file=sys.stderr, flush=True)
    else:
        start()


try:
    _run_hidden_sitecustomize()
finally:
    _start_l0()
