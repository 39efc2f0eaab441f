"""The SDKs' own test suites: which parts of them run, and one run of them, bare or instrumented."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

Outcomes = Mapping[str, str]
"""Node id to ``passed``, ``failed`` or ``skipped``."""

_FOREIGN = (
    *("OPENAI_", "ANTHROPIC_", "AWS_", "AZURE_", "OTEL_", "L0_", "PYTEST_", "CI"),
    *("GROQ_", "CEREBRAS_", "TOGETHER_", "FIREWORKS_", "GOOGLE_", "GEMINI_", "BOTO"),
)
_SECONDS_PER_TEST = 60
_PASSED_OR_FAILED = (0, 1)
_CORE = (
    "tests/test_streaming.py",
    "tests/test_client.py",
    "tests/test_response.py",
    "tests/test_legacy_response.py",
    "tests/lib/chat",
    "tests/lib/responses",
    "tests/lib/streaming",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Parts of one SDK's suite; those that a version does not have yet are passed over.

    ``patched``: a function that l0 patches, as ``module:class.function``. ``quick``: what `make test` runs. ``more``:
    what a full run adds to it. ``without``: tests that serve no purpose here, by the part of the id that they share.
    ``folder``: the directory of the tests in the source distribution. ``options``: what pytest needs to import them.
    """

    patched: str
    quick: Sequence[str] = ()
    more: Sequence[str]
    without: Sequence[str] = ()
    folder: str = "tests"
    options: Sequence[str] = ()


def _stainless(package: str) -> Suite:
    """Return what can run of a suite that Stainless generates: tests/api_resources need a separate server."""
    return Suite(
        patched=f"{package}._base_client:SyncAPIClient.request",
        more=(
            *("tests/test_client.py", "tests/test_streaming.py", "tests/test_response.py", "tests/test_models.py"),
            *("tests/test_required_args.py", "tests/test_transform.py", "tests/test_files.py", "tests/test_qs.py"),
            *("tests/test_extract_files.py", "tests/test_utils", "tests/test_downstream_compat_unit.py"),
        ),
    )


SUITES = {
    "openai": Suite(
        patched="openai._base_client:SyncAPIClient.request",
        quick=("tests/test_streaming.py", "tests/lib/chat", "tests/lib/responses/test_responses.py"),
        more=(
            *_CORE,
            "tests/test_module_client.py",
            "tests/test_sse_framing.py",
            "tests/test_stream_mode.py",
            "tests/test_debug_logging.py",
            "tests/test_status_error_messages.py",
            "tests/test_retry_after_overflow.py",
            "tests/test_httpx_compat.py",
            "tests/test_httpx2.py",
            "tests/lib/test_azure.py",
            "tests/lib/test_azure_redirects.py",
            "tests/lib/test_bedrock.py",
            "tests/lib/test_bedrock_provider.py",
            "tests/lib/test_bedrock_runtime.py",
            "tests/lib/test_embeddings.py",
            "tests/lib/test_embedding_request_context.py",
            "tests/lib/test_runner_eager_control.py",
            "tests/lib/test_runner_idempotency.py",
            "tests/lib/test_streaming_deltas.py",
            "tests/lib/test_vertex_provider.py",
        ),
        without=("websocket",),  # their websockets' own library; no request of the kind that l0 sees
    ),
    "anthropic": Suite(
        patched="anthropic._base_client:SyncAPIClient.request",
        quick=("tests/test_streaming.py", "tests/lib/streaming", "tests/lib/_parse"),
        more=(
            *_CORE,
            "tests/lib/_parse",
            "tests/decoders",
            "tests/test_exceptions.py",
            "tests/test_header_case_sensitivity.py",
            "tests/test_middleware.py",
            "tests/test_prepare.py",
            "tests/test_tracing.py",
            "tests/lib/test_aws.py",
            "tests/lib/test_azure.py",
            "tests/lib/test_bedrock.py",
            "tests/lib/test_bedrock_mantle.py",
            "tests/lib/test_client_copy.py",
            "tests/lib/test_refusal_fallback.py",
            "tests/lib/test_refusal_fallback_streaming.py",
            "tests/lib/test_vertex.py",
            "tests/lib/tools/test_runner_eager_tools.py",
            "tests/lib/tools/test_runners.py",
        ),
        # tests/test_open_telemetry.py and tests/lib/tools/test_open_telemetry.py are left out: they look for the SDK's
        # own span and what it says, and under l0 it makes room for ours. tests/journeys/test_spans.py holds that.
    ),
    "groq": _stainless("groq"),
    "cerebras-cloud-sdk": _stainless("cerebras.cloud.sdk"),
    "together": _stainless("together"),
    "fireworks-ai": _stainless("fireworks"),
    "google-genai": Suite(
        patched="google.genai._api_client:BaseApiClient.request",
        # The others replay recordings, which the source distribution does not have.
        more=tuple(
            f"google/genai/tests/{part}"
            for part in (
                *("afc", "chats", "client", "common", "errors", "gaos", "interactions", "live", "mcp", "models"),
                *("transformers", "types"),
            )
        ),
        folder="google/genai/tests",
        # The tests are modules of the package google.genai, and import it relatively.
        options=("--import-mode=importlib", "-o", "consider_namespace_packages=true"),
    ),
    "botocore": Suite(
        patched="botocore.client:BaseClient._make_api_call",
        more=(
            *("tests/unit/retries", "tests/unit/test_client.py", "tests/unit/test_endpoint.py"),
            *("tests/unit/test_eventstream.py", "tests/unit/test_parsers.py", "tests/unit/test_response.py"),
            *("tests/unit/test_retryhandler.py", "tests/unit/test_session.py", "tests/unit/test_stub.py"),
            *(
                "tests/functional/retries",
                "tests/functional/test_bedrock_runtime.py",
                "tests/functional/test_client.py",
            ),
            *("tests/functional/test_events.py", "tests/functional/test_history.py", "tests/functional/test_retry.py"),
            *("tests/functional/test_modeled_exceptions.py", "tests/functional/test_stub.py"),
        ),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs parts of the suite of ``sdk``, unpacked in ``folder``, against the SDK of the running interpreter."""

    sdk: str
    folder: Path
    workers: int = 0

    def parts(self, *, quick: bool) -> list[str]:
        """The files and folders to run, as far as this version has them."""
        suite = SUITES[self.sdk]
        wanted = suite.quick if quick else dict.fromkeys((*suite.quick, *suite.more))
        return [part for part in wanted if (self.folder / part).exists() and not self._within(part, wanted)]

    @staticmethod
    def _within(part: str, others: Iterable[str]) -> bool:
        return any(part.startswith(f"{other}/") for other in others)

    def run(self, tests: Sequence[str], *, instrumented: bool) -> Outcomes:
        """Run files, folders or single tests. Raises `RuntimeError` if pytest itself failed."""
        with tempfile.TemporaryDirectory() as scratch:
            results = Path(scratch) / "outcomes.json"
            environment = self._environment(results, instrumented=instrumented)
            ended = subprocess.run(
                self._command(tests),
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if ended.returncode not in _PASSED_OR_FAILED or not results.is_file():
                raise RuntimeError(
                    f"pytest ended with status {ended.returncode}:\n{ended.stdout}{ended.stderr}"[-4000:]
                )
            outcomes: dict[str, str] = json.loads(results.read_text())
        return outcomes

    def _command(self, tests: Sequence[str]) -> list[str]:
        # Their own options are for their own CI; plugins of theirs that must come first stay.
        alias = ("-p", "tests._alias_httpx") if (self.folder / "tests/_alias_httpx.py").exists() else ()
        workers = ("-n", str(self.workers), "--dist", "loadfile") if self.workers and find_spec("xdist") else ()
        without = [f"not {part}" for part in SUITES[self.sdk].without]
        return [
            *(sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-o", "addopts="),
            *("-o", "asyncio_default_fixture_loop_scope=session"),
            *("-q", "--tb=no", "-p", "no:cacheprovider", "--continue-on-collection-errors"),
            *("--inline-snapshot=disable", f"--timeout={_SECONDS_PER_TEST}"),
            *SUITES[self.sdk].options,
            *alias,
            *("-p", "sdk_suite_plugin"),
            *workers,
            *(("-k", " and ".join(without)) if without else ()),
            *tests,
        ]

    def _environment(self, results: Path, *, instrumented: bool) -> dict[str, str]:
        """The user's settings for these SDKs must not change a result."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        kept |= {"PYTHONPATH": str(Path(__file__).parent), "SDK_SUITE_RESULTS": str(results)}
        return kept | ({"SDK_SUITE_PATCHED": SUITES[self.sdk].patched} if instrumented else {})
