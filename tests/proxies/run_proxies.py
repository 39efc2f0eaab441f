"""Call real proxies with the real SDKs under l0, and compare with the bare SDKs: a part of `make test-peers`.

    python tests/proxies/run_proxies.py [NAME ...]

Each proxy runs in its own environment, in front of the simulator. Prints a line per endpoint, and every call that
was wrong. Status 0: every proxy of the catalogue was run, and nothing was wrong; 1: something was, or one was not run.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

sys.path.append(str(Path(__file__).parent))

import anthropic
import openai
from catalogue import ABSENT, PROXIES, Endpoint, Proxy
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from proxy_calls import BROKEN, HEALTHY, INTERLEAVED, WAYS, Caller, Got, Scenario

import l0
from l0.runtime.finalizers import LATER
from l0.simulator.server import Simulator
from l0.testing import simulator

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would be downloaded
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}
START_S = 180
"""Only a hang takes as long."""
ROUNDS = 2
"""Each of over 100 calls is made so often, per endpoint."""
Case = tuple[Scenario, str, bool, bool]


class Unavailable(Exception):
    """A proxy cannot be run here. The text is the reason."""


class Check:
    """The calls of one endpoint, without l0 and with it."""

    def __init__(self, endpoint: Endpoint, caller: Caller, exporter: InMemorySpanExporter) -> None:
        self._endpoint = endpoint
        self._caller = caller
        self._exporter = exporter
        self._bare: dict[Case, Got] = {}
        self.counts: Counter[str] = Counter()
        self.anomalies: Counter[str] = Counter()
        self.hidden: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()

    def cases(self) -> Iterator[Case]:
        """Yield every call, healthy ones first: they tell l0 that this source ends its answers."""
        healthy = (*HEALTHY, INTERLEAVED) if self._endpoint.upstream == "chat" else HEALTHY
        for scenario in (one for one in (*healthy, *BROKEN) if one.name not in self._endpoint.endless):
            for way, sync in WAYS:
                for once in (False, True) if scenario.fault else (False,):
                    yield scenario, way, sync, once

    def bare(self) -> None:
        """Make every call without l0, once."""
        for scenario, way, sync, once in self.cases():
            if not once:
                self._bare[scenario, way, sync, once] = self._caller.call(scenario, way, sync=sync, once=once)

    def instrumented(self) -> None:
        """Make every call with l0, and judge it."""
        for _ in range(ROUNDS):
            for case in self.cases():
                scenario, way, sync, once = case
                self._exporter.clear()
                got = self._caller.call(scenario, way, sync=sync, once=once)
                LATER.finish()
                self.counts["calls"] += 1
                self.counts["requests"] += got.requests
                self.counts["errors"] += got.error is not None
                problem = self._judge(case, got)
                if problem == "silent" and scenario.name in self._endpoint.hidden and got.has_whole_tools:
                    self.hidden[scenario.name] += 1
                elif problem is not None:
                    where = f"{scenario.name}, {way}, {'sync' if sync else 'async'}{', once' if once else ''}"
                    self.wrong[f"{where}: {problem}"] += 1
        for name in self._endpoint.hidden - self.hidden.keys():
            self.wrong[f"{name}: it is never hidden"] += 1

    def _judge(self, case: Case, got: Got) -> str | None:
        """Return what is wrong with a call, or ``None``."""
        scenario, way, sync, once = case
        (whole,) = [one for one in (*HEALTHY, INTERLEAVED) if one.answer == scenario.answer]
        answer = self._bare[whole, way, sync, False]
        if answer.error is not None and not (scenario.fault and got.error is None):
            self.counts["not whole without l0"] += 1
            return None
        problem = self._told(got)
        if problem is not None:
            return problem
        if scenario.fault is None:
            return _as_bare(got, answer)
        if got.error is None:
            recovered = once and got.content == answer.content
            self.counts["recovered"] += recovered
            return None if recovered else "silent"
        if not answer.text.startswith(got.text):
            return f"invented {got.text!r}"
        if once and scenario.before and scenario.name not in self._endpoint.hidden:
            return f"not recovered, {got.requests} requests: {got.error}"[:300]
        return None

    def _told(self, got: Got) -> str | None:
        """Check the span of a call."""
        spans = [span for span in self._exporter.get_finished_spans() if "l0.outcome" in (span.attributes or {})]
        if len(spans) != 1:
            return f"{len(spans)} spans"
        attributes = dict(spans[0].attributes or {})
        self.anomalies.update(attributes.get("l0.anomalies", ()))
        if (spans[0].status.status_code.name == "ERROR") is not (got.error is not None):
            return f"the span says {spans[0].status.status_code.name}"
        counted = attributes.get("gen_ai.usage.output_tokens")
        if got.error is None and got.output_tokens not in (None, counted):
            return f"the span counts {counted} output tokens, the answer {got.output_tokens}"
        return None


def _as_bare(got: Got, bare: Got) -> str | None:
    if got.error is not None:
        return f"false alarm, {got.requests} requests: {type(got.error).__name__}: {got.error}"[:300]
    if (got.content, got.requests) != (bare.content, bare.requests):
        return f"{got.content}, {got.requests} requests; without l0 {bare.content}, {bare.requests}"
    return None


def check(endpoint: Endpoint, origin: str, sim: Simulator, exporter: InMemorySpanExporter) -> Check:
    """Make all calls of an endpoint."""
    with asyncio.Runner() as runner:
        caller = Caller(endpoint, origin, sim, runner.get_loop())
        made = Check(endpoint, caller, exporter)
        made.bare()
        l0.instrument()
        made.instrumented()
        l0.uninstrument()
        caller.close()
    return made


@contextmanager
def running(proxy: Proxy, upstream: str) -> Iterator[tuple[str, str]]:
    """Run a proxy in front of an upstream. Yield its version and its origin. Raises `Unavailable`."""
    environment = Path(".venv-proxies") / proxy.name
    try:
        subprocess.run(proxy.install(environment), cwd=ROOT, check=True, stdin=subprocess.DEVNULL)
        version = subprocess.check_output(proxy.version(environment), cwd=ROOT, text=True).strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"it cannot be installed: {error}") from None
    port = _free_port()
    with tempfile.TemporaryDirectory() as scratch:
        command = proxy.start(ROOT / environment, Path(scratch), upstream, port)
        variables = os.environ | SETTINGS | {"HOME": scratch}
        log = Path(scratch) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=scratch, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            origin = f"http://127.0.0.1:{port}"
            _wait(process, origin + proxy.path, log)
            yield version, origin
            if process.poll() is not None:
                raise Unavailable(f"it ended during the run: {log.read_text(errors='replace')[-1000:]}")
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Wait until the proxy answers."""
    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        try:
            urlopen(url, timeout=5).close()
            return
        except HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise Unavailable(f"it does not start: {log.read_text(errors='replace')[-1000:]}")


def run(proxy: Proxy, exporter: InMemorySpanExporter) -> bool:
    """Check one proxy, and print what was found. Return True if all is well."""
    good = True
    try:
        with simulator() as sim, running(proxy, sim.origin) as (version, origin):
            for endpoint in proxy.endpoints:
                found = check(endpoint, origin, sim, exporter)
                good = good and not found.wrong
                counts = ", ".join(f"{count} {name}" for name, count in found.counts.items())
                print(f"{proxy.name} ({version}), {endpoint}: {counts}, {found.wrong.total()} wrong", flush=True)
                _list("accepted as odd", found.anomalies)
                _list("hidden by the proxy", (f"{count} x {name}" for name, count in found.hidden.items()))
                _list("NOT RUN, the proxy never answers", endpoint.endless)
                for problem, count in found.wrong.items():
                    print(f"  WRONG {count} x {problem}", flush=True)
    except Unavailable as reason:
        print(f"{proxy.name}: NOT RUN, {reason}", flush=True)
        return False
    return good


def _list(name: str, found: Iterable[str]) -> None:
    listed = ", ".join(sorted(found))
    if listed:
        print(f"  {name}: {listed}", flush=True)


def main(names: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    unknown = set(names) - {proxy.name for proxy in PROXIES}
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 1
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for sdk in (openai, anthropic):
        sdk._base_client.INITIAL_RETRY_DELAY = 0.001
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    for name, reason in ABSENT.items():
        print(f"{name}: NOT RUN, {reason}", flush=True)
    good = [run(proxy, exporter) for proxy in PROXIES if not names or proxy.name in names]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
