"""Measure 200 concurrent streams through the SDKs of other providers: `python -m benchmarks.providers` (`--rounds`).

Each SDK is measured in its own process, bare and with L0 in turn; the simulated provider runs in another one. L0 has
the default policy and reports to an OpenTelemetry SDK whose exporters discard everything. A figure is the CPU time of
the process that reads. boto3 has no async calls, so 200 threads read its streams.

Writes the result, and the table of docs/providers.md.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import process_time
from typing import Any

from .report import machine, spread
from .variants import BARE, FULL, switch_on

STREAMS, TOKENS, WARM_UP_TOKENS = 200, 50, 2
"""Streams at once, and the tokens of each when it is measured and when it warms up."""
_ROOT = Path(__file__).resolve().parents[1]
RESULT = _ROOT / "benchmarks" / "results" / "providers.json"
PAGE = _ROOT / "docs" / "providers.md"
_BEGIN, _END = "<!-- begin: written by `python -m benchmarks.providers` -->\n", "<!-- end: written -->"
_WRITTEN = re.compile(f"{_BEGIN}.*?{_END}", re.DOTALL)

Read = Callable[[str], Awaitable[int]]
"""Reads the answer to a prompt. Returns the number of its events."""


def _openai_api(module: str, client: str, **options: Any) -> Callable[[str], Read]:
    def make(origin: str) -> Read:
        sdk_client = getattr(import_module(module), client)(api_key="unused", base_url=origin, timeout=600, **options)

        async def read(prompt: str) -> int:
            messages = [{"role": "user", "content": prompt}]
            return await _length(await sdk_client.chat.completions.create(model="m", messages=messages, stream=True))

        return read

    return make


def _google_genai(origin: str) -> Read:
    genai = import_module("google.genai")
    models = genai.Client(api_key="unused", http_options={"base_url": origin}).aio.models

    async def read(prompt: str) -> int:
        return await _length(await models.generate_content_stream(model="gemini-2.5-flash", contents=prompt))

    return read


def _bedrock(origin: str) -> Read:
    config = import_module("botocore.config").Config(max_pool_connections=STREAMS, read_timeout=600)
    keys = {"aws_access_key_id": "unused", "aws_secret_access_key": "unused"}
    client = import_module("boto3").client(
        "bedrock-runtime", region_name="us-east-1", endpoint_url=origin, config=config, **keys
    )

    def read(prompt: str) -> int:
        messages = [{"role": "user", "content": [{"text": prompt}]}]
        return sum(1 for _ in client.converse_stream(modelId="m", messages=messages)["stream"])

    return lambda prompt: asyncio.to_thread(read, prompt)


def _litellm(origin: str) -> Read:
    litellm = import_module("litellm")
    options = {"model": "groq/m", "api_base": f"{origin}/v1", "api_key": "unused", "stream": True}

    async def read(prompt: str) -> int:
        return await _length(await litellm.acompletion(messages=[{"role": "user", "content": prompt}], **options))

    return read


async def _length(stream: Any) -> int:
    events = 0
    async for _ in stream:
        events += 1
    return events


SDKS: Mapping[str, Callable[[str], Read]] = {
    "groq": _openai_api("groq", "AsyncGroq"),
    "cerebras-cloud-sdk": _openai_api("cerebras.cloud.sdk", "AsyncCerebras", warm_tcp_connection=False),
    "together": _openai_api("together", "AsyncTogether"),
    "fireworks-ai": _openai_api("fireworks", "AsyncFireworks"),
    "google-genai": _google_genai,
    "boto3": _bedrock,
    "litellm": _litellm,
}
"""The measured SDKs, by distribution."""


def main() -> int:
    """Return 0 if every SDK was measured, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.providers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each SDK is measured (default 5)")
    parser.add_argument("--measure", nargs=3, metavar=("SDK", "VARIANT", "ORIGIN"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        sys.stdout.write(json.dumps(_measure(*args.measure)))
        return 0
    try:
        versions = {sdk: version(sdk) for sdk in SDKS}
    except PackageNotFoundError as error:
        sys.stderr.write(f"{error.name} is not installed: make bench-providers has an environment with it\n")
        return 1
    report = {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "rounds": args.rounds,
        "versions": versions,
        "sdks": _rounds(args.rounds),
    }
    RESULT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(fresh(PAGE.read_text("utf-8"), report), encoding="utf-8")
    sys.stdout.write(table(report))
    return 0


def _rounds(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return the costs in µs per event, by SDK and variant."""
    found: dict[str, dict[str, list[float]]] = {sdk: {BARE: [], FULL: []} for sdk in SDKS}
    with _server() as origin:
        for turn in range(rounds):
            for sdk, costs in found.items():
                results = {}
                for variant in [BARE, FULL][:: -1 if turn % 2 else 1]:  # a machine that slows down affects both
                    results[variant] = _apart(sdk, variant, origin)
                    costs[variant].append(results[variant]["us"])
                if results[BARE]["events"] != results[FULL]["events"]:
                    raise RuntimeError(f"{sdk}: L0 changed the number of events: {results}")
    return found


@contextmanager
def _server() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["burst"]
        process.stdin.close()


def _apart(sdk: str, variant: str, origin: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.providers", "--measure", sdk, variant, origin]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{sdk}, {variant}: {done.stderr.strip()[-500:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _measure(sdk: str, variant: str, origin: str) -> dict[str, Any]:
    switch_on(variant)
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(ThreadPoolExecutor(STREAMS))
        read = SDKS[sdk](origin)
        runner.run(_gather(read, WARM_UP_TOKENS))  # imports, caches and connections belong to the first calls
        gc.collect()
        began = process_time()
        events = runner.run(_gather(read, TOKENS))
        return {"events": events, "us": (process_time() - began) / events * 1e6}


async def _gather(read: Read, tokens: int) -> int:
    return sum(await asyncio.gather(*(read(f"[[simulate: tokens {tokens}]]") for _ in range(STREAMS))))


def fresh(page: str, report: Mapping[str, Any]) -> str:
    """Return the page with the table of this report."""
    return _WRITTEN.sub(lambda _: f"{_BEGIN}\n{table(report)}\n{_END}", page)


def table(report: Mapping[str, Any]) -> str:
    """Return the report in Markdown."""
    on, day = report["machine"], report["taken"][:10]
    lines = [
        f"{on['cpu']}, {on['cores']} cores, {on['system']}, {on['python']}; {report['rounds']} rounds, {day}.\n",
        "| SDK | version | bare, µs per event | with L0, relative to bare |",
        "|---|---|---|---|",
    ]
    for sdk, costs in report["sdks"].items():
        bare, ours = costs[BARE], costs[FULL]
        ratios = spread([one / other for one, other in zip(ours, bare, strict=True)])
        lines.append(f"| `{sdk}` | {report['versions'][sdk]} | {spread(bare)} | {ratios} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
