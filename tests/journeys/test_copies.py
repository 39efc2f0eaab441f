"""Copies of the SDKs and of l0: vendored and in a zip file, without metadata; and l0 imported a second time."""

import site
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import anthropic
import openai
import pytest

import l0
import l0_anthropic
import l0_openai
from l0.simulator.server import Simulator
from l0.stainless.discovery import installed_version, instrumentors

PROGRAM = """
import sys, warnings
warnings.simplefilter("error")
import l0
l0.instrument()
import importlib.metadata as metadata
for name in ("openai", "anthropic", "l0-otel"):
    try:
        raise SystemExit(f"{name} has metadata: {metadata.version(name)}")
    except metadata.PackageNotFoundError:
        pass
import openai, anthropic
from l0.simulator.faults import Fault
from l0.testing import simulator
with simulator() as sim:
    broken = []
    for one in (
        openai.OpenAI(api_key="k", base_url=sim.openai, max_retries=0).chat.completions,
        anthropic.Anthropic(api_key="k", base_url=sim.anthropic, max_retries=0).messages,
    ):
        sim.script(Fault.reset(at_event=5))
        try:
            list(one.create(model="m", max_tokens=4096, messages=[{"role": "user", "content": "hi"}], stream=True))
        except l0.StreamInterrupted as error:
            broken.append(type(error).__name__)
assert len(broken) == 2, broken
l0.uninstrument()
assert not hasattr(openai.OpenAI.request, "__wrapped__")
print("patched", openai.__version__, anthropic.__version__, openai.__file__)
"""


def run(*paths: Path) -> str:
    program = f"import sys; sys.path[:0] = {[str(path) for path in paths]!r}\n{PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture
def vendored(tmp_path: Path) -> Path:
    """A folder of packages as they are installed, the SDKs and l0 without their metadata."""
    folder = tmp_path / "vendor"
    folder.mkdir()
    roots = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    for root in filter(Path.is_dir, map(Path, roots)):
        for item in root.iterdir():
            place = folder / item.name
            # httpx2 cannot be imported without its own metadata, so that of the rest stays.
            bare = item.name.startswith(("openai-", "anthropic-", "l0_otel-")) or item.suffix in (".pth", ".egg-link")
            if not bare and not place.exists():
                place.symlink_to(item)
    for package in (l0, l0_openai, l0_anthropic):
        place = folder / package.__name__
        place.unlink(missing_ok=True)
        place.symlink_to(Path(str(package.__file__)).parent)
    return folder


def test_a_vendored_copy(vendored: Path) -> None:
    assert run(vendored).startswith(f"patched {openai.__version__} {anthropic.__version__}")


def test_a_copy_in_a_zip_file(vendored: Path, tmp_path: Path) -> None:
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as written:
        for name in ("openai", "l0", "l0_openai", "l0_anthropic"):
            root = (vendored / name).resolve()
            for file in root.rglob("*"):
                if file.suffix in (".py", ".json", ".typed"):
                    written.write(file, f"{name}/{file.relative_to(root)}")
            (vendored / name).unlink()
    assert str(archive) in run(archive, vendored)


TWICE = """
import asyncio, importlib, sys, warnings
warnings.simplefilter("error")
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
spans = InMemorySpanExporter()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(spans))

_, base, removed, imported, ended = sys.argv
import l0
if imported == "late":
    l0.instrument()
import openai, anthropic
KINDS = [(openai.OpenAI, openai.AsyncOpenAI), (anthropic.Anthropic, anthropic.AsyncAnthropic)]
PLACES = [
    (kind, name)
    for sdk in (openai, anthropic)
    for kind, name in (
        (sdk._base_client.SyncAPIClient, "request"),
        (sdk._base_client.AsyncAPIClient, "request"),
        (sdk._base_client.BaseClient, "_process_response_data"),
        (sdk._streaming.Stream, "__stream__"),
        (sdk._streaming.AsyncStream, "__stream__"),
    )
]

def functions():
    return [vars(place)[name] for place, name in PLACES]

def innermost(function):
    return innermost(function.__wrapped__) if hasattr(function, "__wrapped__") else function

bare = [innermost(one) for one in functions()]
l0.instrument()

def create(client):
    of_openai = hasattr(client, "chat")
    ask = (client.chat.completions if of_openai else client.messages).create
    return ask(model="m", max_tokens=4096, messages=[{"role": "user", "content": "hi"}], stream=True)

def clients(index):
    urls = base, base.removesuffix("/v1")
    return [kinds[index](api_key="k", base_url=url) for kinds, url in zip(KINDS, urls)]

def call_each(traced):
    # one call of each kind: one span of each
    spans.clear()
    for client in clients(0):
        with client:
            assert len(list(create(client))) > 3
    async def run():
        for client in clients(1):
            async with client:
                assert len([item async for item in await create(client)]) > 3
    asyncio.run(run())
    calls = [span for span in spans.get_finished_spans() if span.parent is None]
    assert len(calls) == (4 if traced else 0), calls

call_each(True)
before = clients(0)[0]
reading = create(before)
next(reading)

def of_l0(name):
    package = name.partition(".")[0]
    return {"everything": package.startswith("l0"), "core": package == "l0", "reloaded": package.startswith("l0"),
            "packages": package.startswith("l0_")}[removed]

modules = [name for name in sys.modules if of_l0(name)]
if removed == "reloaded":  # in place, as IPython's deepreload does: what a module imports comes first
    import builtins
    from importlib.util import resolve_name
    plain, seen = builtins.__import__, set()

    def deep(name, globals=None, locals=None, fromlist=(), level=0):
        full = resolve_name("." * level + name, globals["__package__"]) if level else name
        for one in (full, *(f"{full}.{part}" for part in fromlist or ())):
            if one in modules and one not in seen:
                seen.add(one)
                importlib.reload(sys.modules[one])
        return plain(name, globals, locals, fromlist, level)

    builtins.__import__ = deep
    for name in modules:
        deep(name)
    builtins.__import__ = plain
else:
    for name in modules:
        del sys.modules[name]
call_each(removed != "reloaded")  # the first copy still serves; one reloaded in place has no settings any more
import l0 as again
with warnings.catch_warnings(record=True, action="always") as found:
    if ended == "patched":
        again.instrument()
    elif ended == "opentelemetry":
        from l0.stainless.discovery import installed_version, instrumentors
        for one in instrumentors():
            if installed_version(one.sdk_name) is not None:
                one.instrument()
print("WARNED", len(found), {(one.filename == "<string>") for one in found}, [str(one.message)[:30] for one in found])
if ended != "restored":
    assert [one.__wrapped__ for one in functions()] == bare, "patched twice"
    call_each(True)
    again.instrument()  # says nothing more
    for name in [name for name in sys.modules if name.partition(".")[0] == "openai"]:
        del sys.modules[name]
    import openai as third
    assert not hasattr(third._base_client.SyncAPIClient.request.__wrapped__, "__wrapped__"), "patched twice"
assert len(list(reading)) > 2  # a stream of the first copy
before.close()
again.uninstrument()
assert functions() == bare
assert not [one for one in sys.meta_path if type(one).__module__.startswith("l0")]
print("RESTORED")
"""


INSTALLED = [one for one in instrumentors() if installed_version(one.sdk_name) is not None]
"""The instrumentor of each SDK that this environment has: each warns that it replaces the patches of another copy."""


@pytest.mark.parametrize(
    ("removed", "imported", "ended", "warned"),
    [
        ("everything", "early", "patched", 1),
        ("everything", "late", "patched", 1),
        ("everything", "early", "opentelemetry", len(INSTALLED)),
        ("everything", "early", "restored", 0),
        ("core", "early", "patched", 1),
        ("packages", "early", "patched", 0),  # they are imported again, and l0 is not
        ("reloaded", "early", "patched", 1),
        ("reloaded", "late", "restored", 0),
    ],
)
def test_l0_imported_a_second_time(sim: Simulator, removed: str, imported: str, ended: str, warned: int) -> None:
    """The second copy takes over from the first: one set of patches, one span per call, and the way back."""
    done = subprocess.run(
        [sys.executable, "-c", TWICE, sim.openai, removed, imported, ended],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"WARNED {warned} " in done.stdout, done.stdout
    if warned:
        assert "{True} ['l0 was imported a second time" in done.stdout, done.stdout
    assert "RESTORED" in done.stdout
