"""The blocks of docs/services.md, run as they stand: only the service's host is a receiver on loopback."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from otlp_receiver import Received, otlp_receiver

from l0.simulator.server import Simulator

PAGE = (Path(__file__).parents[2] / "docs" / "services.md").read_text(encoding="utf-8")
BLOCKS = {
    section.partition("\n")[0]: re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    for section in PAGE.split("\n## ")[1:]
}
"""The blocks of each section, by its heading."""
PROGRAM = """
import openai
stream = openai.OpenAI().chat.completions.create(
    model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True
)
print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The block of one section. ``values``: its variables. The rest is what the service must receive."""

    values: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    paths: frozenset[str] = frozenset({"/v1/traces"})


BOTH = frozenset({"/v1/traces", "/v1/metrics"})
RECIPES = {
    "Jaeger": Recipe(),
    "Grafana": Recipe(paths=BOTH),
    "Grafana Cloud": Recipe(
        values={"GRAFANA_OTLP_URL": "HOST/otlp", "GRAFANA_INSTANCE": "12345", "GRAFANA_TOKEN": "glc_" + "x" * 60},
        headers={"authorization": "Basic " + base64.b64encode(b"12345:glc_" + b"x" * 60).decode()},
        paths=frozenset({"/otlp/v1/traces", "/otlp/v1/metrics"}),
    ),
    "Datadog with an Agent": Recipe(paths=BOTH),
    "Datadog without an Agent": Recipe(
        values={"DATADOG_OTLP_TRACES_URL": "HOST/v1/traces", "DD_API_KEY": "abc"},
        headers={"dd-api-key": "abc", "dd-otlp-source": "llmobs"},
    ),
    "Logfire": Recipe(
        values={"LOGFIRE_TOKEN": "pylf_v1_us_token"}, headers={"authorization": "pylf_v1_us_token"}, paths=BOTH
    ),
    "Sentry": Recipe(
        values={"SENTRY_OTLP_TRACES_URL": "HOST/api/1/integration/otlp/v1/traces/", "SENTRY_PUBLIC_KEY": "abc"},
        headers={"x-sentry-auth": "sentry sentry_key=abc"},
        paths=frozenset({"/api/1/integration/otlp/v1/traces/"}),
    ),
    "Langfuse": Recipe(
        values={"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "sk-lf-" + "x" * 60},
        headers={
            "authorization": "Basic " + base64.b64encode(b"pk-lf-1:sk-lf-" + b"x" * 60).decode(),
            "x-langfuse-ingestion-version": "4",
        },
        paths=frozenset({"/api/public/otel/v1/traces"}),
    ),
}


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[str, Received]]:
    """A service that receives what the recipes send."""
    with otlp_receiver() as made:
        yield made


def test_every_block_has_a_recipe() -> None:
    assert {name: len(found) for name, found in BLOCKS.items()} == dict.fromkeys(RECIPES, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="the recipes are for a POSIX shell")
@pytest.mark.parametrize("name", RECIPES)
def test_recipe_sends_spans(sim: Simulator, service: tuple[str, Received], tmp_path: Path, name: str) -> None:
    (tmp_path / "app.py").write_text(PROGRAM, encoding="utf-8")
    host, received = service
    received.clear()
    recipe = RECIPES[name]
    (block,) = BLOCKS[name]
    script = re.sub(r"https?://[\w.-]+(:\d+)?", host, block)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "L0_", "PYTHONPATH"))}
    values = {key: value.replace("HOST", host) for key, value in recipe.values.items()}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        ["sh", "-euc", script],
        cwd=tmp_path,
        env={**kept, **values, "PATH": path, "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": sim.openai},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip()
    assert ended.stderr == ""
    assert {path for path, _, _ in received} == recipe.paths
    for _, headers, _ in received:
        assert {key: headers.get(key) for key in recipe.headers} == recipe.headers
        assert headers["content-type"] == "application/x-protobuf"
    spans = [body for path, _, body in received if "traces" in path]
    assert b"gen_ai.provider.name" in b"".join(spans)
