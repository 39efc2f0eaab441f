"""Check one framework with l0, in the environment of the framework, against the simulator.

    python tests/frameworks/check_framework.py NAME RESULTS [TRACER before|after]

Writes to the file RESULTS what was installed, a list of ``[check, problem]``, and the exception that ended the checks
early. A problem of ``null`` is a pass. A tracer is switched on before or after l0; then a call may have as many
inference spans as with the tracer alone.
"""

import json
import logging
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

sys.path += [str(Path(__file__).parents[up] / name) for up, name in ((0, ""), (0, "calls"), (1, "journeys"))]

from catalogue import FRAMEWORKS
from opentelemetry import trace
from runnable_pages import ROOT, run_page
from tracing import Tracing

import l0
from l0.runtime.finalizers import LATER
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.testing import simulator

Check = tuple[str, str | None]
POLICY = l0.Policy(retry=l0.Retry(base_delay=0.01, max_delay=0.01), truncation="strict")
HELD = l0.Policy(retry=l0.Retry(base_delay=0.01, max_delay=0.01), truncation="strict", hold="message")
BEFORE = {
    "reset": Fault.reset(at_event=1),
    "truncated": Fault.clean_end(at_event=1),
    "500": Fault.status(500),
    "429": Fault.status(429),
    "HTML with status 200": Fault.html(),
}
AFTER = {
    "reset": Fault.reset(at_event=6),
    "truncated": Fault.clean_end(at_event=6),
    "error in the stream": Fault.in_band_error(at_event=6),
    "malformed event": Fault.malformed(at_event=6),
}


class Framework:
    """The calls of one framework through the simulator."""

    def __init__(self, sim: Simulator, calls: dict[str, Callable[[str], str]], tracing: Tracing) -> None:
        self._sim = sim
        self._calls = calls
        self._tracing = tracing
        self.bare: dict[str, str] = {}
        self._found: dict[str, int] = {}

    def call(self, name: str, *faults: Fault) -> tuple[str | None, BaseException | None, int]:
        """Return the text or the error, and the number of requests."""
        self._sim.reset()
        self._tracing.exporter.clear()
        self._sim.script(*faults)
        text, error = None, None
        try:
            with trace.get_tracer("application").start_as_current_span("request"):
                text = self._calls[name](self._sim.openai)
        except Exception as raised:
            error = raised
        LATER.finish()
        return text, error, sum(request.dialect is not None for request in self._sim.requests)

    def learn(self) -> Iterator[Check]:
        """Make every call without l0, for comparison."""
        for name in self._calls:
            text, error, requests = self.call(name)
            self.bare[name] = text or ""
            yield f"{name}: bare", _unless(bool(text) and requests == 1, f"{text!r}, {requests} requests", error)

    def healthy(self) -> Iterator[Check]:
        """A healthy call returns what the bare one does. Its inference span is described, in the right trace."""
        for name, bare in self.bare.items():
            self._tracing.output_tokens()
            text, error, requests = self.call(name)
            yield f"{name}: healthy", _unless((text, requests) == (bare, 1), f"{text!r}, {requests} requests", error)
            self._found[name] = len(self._tracing.inference())
            yield f"{name}: one trace", self._trace()
            yield f"{name}: tokens counted once", self._tokens()
            described = any((span.attributes or {}).get("l0.outcome") == "ok" for span in self._tracing.inference())
            yield f"{name}: described by l0", _unless(described, "no inference span has l0.outcome")

    def spans(self, *, alone: bool) -> Iterator[Check]:
        """A call has one inference span, or with a tracer as many as without l0 (``alone``), which is off by now."""
        for name, found in self._found.items():
            if alone:
                self.call(name)
            expected = max(len(self._tracing.inference()), 1) if alone else 1
            yield f"{name}: one span", _unless(found == expected, f"{found} inference spans, {expected} expected")

    def before_content(self) -> Iterator[Check]:
        """Check that what breaks before content is recovered."""
        for name, bare in self.bare.items():
            for kind, fault in BEFORE.items():
                text, error, requests = self.call(name, fault)
                recovered = (text, requests) == (bare, 2)
                yield f"{name}: {kind}, recovered", _unless(recovered, f"{requests} requests", error)

    def after_content(self) -> Iterator[Check]:
        """Check that what breaks after content is an error, or recovered if it is held."""
        for name, bare in self.bare.items():
            for kind, fault in AFTER.items() if "streamed" in name else ():
                text, error, requests = self.call(name, fault)
                honest = error is not None or text == bare
                yield f"{name}: {kind} after content, honest", _unless(honest, f"passed off as whole: {text!r}")
                with l0.policy(HELD):
                    text, error, requests = self.call(name, fault)
                recovered = (text, requests) == (bare, 2)
                yield f"{name}: {kind} after content, held", _unless(recovered, f"{text!r}, {requests} requests", error)

    def _trace(self) -> str | None:
        spans = self._tracing.exporter.get_finished_spans()
        (request,) = [span for span in spans if span.name == "request"]
        if {span.context.trace_id for span in spans if span.context} != {request.context.trace_id}:
            return f"more than one trace: {[span.name for span in spans]}"
        parents = {span.context.span_id: span.parent for span in spans if span.context}
        for span in self._tracing.inference():
            parent = span.parent
            while parent is not None and parent.span_id != request.context.span_id:
                parent = parents.get(parent.span_id)
            if parent is None:
                return f"{span.name} is not below the application's span"
        return None

    def _tokens(self) -> str | None:
        spent = self._tracing.output_tokens_on_spans()
        counted = self._tracing.output_tokens()
        return _unless(counted in spent or not spent, f"{sorted(spent)} on spans, {counted} in the metric")


def _unless(good: bool, problem: str, error: BaseException | None = None) -> str | None:
    if good:
        return None
    return problem if error is None else f"{problem}, {type(error).__name__}: {error}"[:300]


def page_problem(name: str, sim: Simulator) -> str | None:
    """Run the page about the framework, and return what is wrong with it."""
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        try:
            run_page(page, Path(folder), {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": sim.openai})
        except AssertionError as error:
            return str(error)
    return None


def check(name: str, tracer: str | None, order: str | None) -> Iterator[Check]:
    """Yield the result of every check of one framework."""
    (framework,) = [one for one in FRAMEWORKS if one.name == name]
    calls = import_module(framework.calls)
    tracing = Tracing()
    with simulator() as sim:
        if framework.page and tracer is None:
            yield f"docs/{framework.page}.md: runs as printed", page_problem(framework.page, sim)
        checked = Framework(sim, calls.CALLS, tracing)
        yield from checked.learn()
        if tracer is not None and order == "before":
            calls.TRACERS[tracer](tracing)
        l0.instrument(POLICY)
        if tracer is not None and order == "after":
            calls.TRACERS[tracer](tracing)
        tracing.begin()
        yield from checked.healthy()
        yield from checked.before_content()
        if tracer is None:
            yield from checked.after_content()
        l0.uninstrument()
        yield from checked.spans(alone=tracer is not None)


def main(name: str, results: str, tracer: str | None = None, order: str | None = None) -> None:
    """The command line."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    found: list[Check] = []
    broken = None
    try:
        found.extend(check(name, tracer, order))
    except Exception:
        broken = traceback.format_exc()
    (framework,) = [one for one in FRAMEWORKS if one.name == name]
    packages = [re.split(r"[[<>=]", requirement)[0] for requirement in framework.requirements]
    versions = [f"{package} {version(package)}" for package in (*packages, "openai")]
    Path(results).write_text(json.dumps({"versions": versions, "checks": found, "broken": broken}))


if __name__ == "__main__":
    main(*sys.argv[1:])
