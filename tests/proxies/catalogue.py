"""The proxies that `make test-peers` runs, each in its own environment."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One way through a proxy: the dialect of the client, and the dialect that the proxy sends to its upstream.

    ``hidden``: scenarios in which the proxy ends a broken answer of its upstream like a whole one. ``endless``:
    scenarios that are not run, as the proxy then never answers.
    """

    dialect: str
    model: str
    upstream: str
    hidden: frozenset[str] = frozenset()
    endless: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.dialect} over {self.upstream} ({self.model})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """One proxy. ``install``: the command that prepares its environment in a folder; ``version``: the command that
    prints the version installed there. ``start``: writes the configuration to a folder, and returns the command that
    serves an upstream at a port. ``path``: answers as soon as the proxy is ready.
    """

    name: str
    install: Callable[[Path], Sequence[str]]
    version: Callable[[Path], Sequence[str]]
    start: Callable[[Path, Path, str, int], Sequence[str]]
    path: str
    endpoints: tuple[Endpoint, ...]


ENDED = frozenset({"end after text", "end in reasoning"})
"""The upstream ends in the middle of its answer, without an error: a proxy that goes on as if that were the end leaves
no proof."""
EMPTIED = ENDED | {"end first"}
"""An upstream that ends before its first event is an empty answer of the proxy."""
SWALLOWED = EMPTIED | {"cut first", "cut after text", "reset after text", "cut in tools"}
"""The proxy drops the error of its upstream as well."""


def _litellm(requirement: str, name: str, *, hidden: frozenset[str]) -> Proxy:
    """Return a release of LiteLLM. ``hidden``: scenarios in which its translation to chat completions hides a break."""

    def install(environment: Path) -> list[str]:
        return [sys.executable, "scripts/environment.py", str(environment), requirement]

    def version(environment: Path) -> list[str]:
        script = "from importlib import metadata; print(metadata.version('litellm'))"
        return [str(environment / "bin" / "python"), "-c", script]

    def start(environment: Path, scratch: Path, upstream: str, port: int) -> list[str]:
        models = {"native": "openai/gpt-x", "bridged": "custom_openai/gpt-x"}
        listed = [
            {"model_name": name, "litellm_params": {"model": model, "api_base": f"{upstream}/v1", "api_key": "k"}}
            for name, model in models.items()
        ]
        config = scratch / "config.json"  # JSON is YAML
        config.write_text(json.dumps({"model_list": listed, "litellm_settings": {"num_retries": 0}}))
        command = [str(environment / "bin" / "litellm"), "--config", str(config)]
        return [*command, "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]

    return Proxy(
        name=name,
        install=install,
        version=version,
        start=start,
        path="/health/liveliness",
        endpoints=(
            Endpoint(dialect="messages", model="native", upstream="responses"),
            Endpoint(dialect="messages", model="bridged", upstream="chat", hidden=hidden),
            Endpoint(dialect="responses", model="native", upstream="responses"),
            Endpoint(dialect="responses", model="bridged", upstream="chat", hidden=hidden),
        ),
    )


def _claude_code_router(release: str) -> Proxy:
    package = "@musistudio/claude-code-router"

    def install(environment: Path) -> list[str]:
        return ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(environment), f"{package}@{release}"]

    def version(environment: Path) -> list[str]:
        described = environment.resolve() / "node_modules" / package / "package.json"
        return ["node", "-p", f"require({json.dumps(str(described))}).version"]

    def start(environment: Path, scratch: Path, upstream: str, port: int) -> list[str]:
        provider = {"api_base_url": f"{upstream}/v1/chat/completions", "api_key": "k", "models": ["gpt-x"]}
        providers = [
            {"name": "plain", **provider},
            {"name": "reasoning", **provider, "transformer": {"use": ["deepseek"]}},
        ]
        config = {"PORT": port, "HOST": "127.0.0.1", "LOG": False, "NON_INTERACTIVE_MODE": True, "Providers": providers}
        folder = scratch / ".claude-code-router"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({**config, "Router": {"default": "plain,gpt-x"}}))
        return ["node", str(environment / "node_modules" / package / "dist" / "cli.js"), "start"]

    return Proxy(
        name=f"claude-code-router-{release}",
        install=install,
        version=version,
        start=start,
        path="/",
        endpoints=tuple(
            Endpoint(
                dialect="messages",
                model=f"{provider},gpt-x",
                upstream="chat",
                hidden=ENDED,
                endless=frozenset({"cut first"}),
            )
            for provider in ("plain", "reasoning")
        ),
    )


PROXIES = (
    _litellm("litellm[proxy]==1.91.*", "litellm-1.91", hidden=SWALLOWED),
    _litellm("litellm[proxy]==1.98.*", "litellm-1.98", hidden=EMPTIED),
    _litellm("litellm[proxy]", "litellm-newest", hidden=EMPTIED),
    _claude_code_router("1.0.73"),
    _claude_code_router("2.0.0"),
)
ABSENT = {"claude-code-router-3.1.1": "the npm registry does not have its dependency @the-next-ai/ai-gateway"}
"""Proxies that cannot be installed, with the reason."""
