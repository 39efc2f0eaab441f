"""Tests with a cassette, through the real SDKs: recorded against the simulator, then played without it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import httpx, needs_trio

# A run in this process drops the modules that it was the first to import. openai and anthropic stay, patched with
# functions that use classes of the dropped modules, so these modules are imported here.
from l0 import config  # noqa: F401
from l0.runtime import async_driver, sync_driver  # noqa: F401
from l0.simulator.faults import Fault
from l0.simulator.server import Simulator
from l0.testing import simulator

KEY = "sk-canary-CANARYCANARY1234"
CALLS = f'''
import asyncio, os, pytest, openai, anthropic

URL = os.environ["SIMULATOR"]
OPTIONS = dict(api_key=os.environ.get("KEY", "{KEY}"), max_retries=0, timeout=60)
ASKED = dict(model="gpt-4o", messages=[{{"role": "user", "content": "hello"}}])


def ask(**more):
    with openai.OpenAI(base_url=URL + "/v1", **OPTIONS) as client:
        return client.chat.completions.create(**(ASKED | more))


def streamed(**more):
    with openai.OpenAI(base_url=URL + "/v1", **OPTIONS) as client:
        return [chunk.model_dump() for chunk in client.chat.completions.create(stream=True, **(ASKED | more))]


async def ask_async(**more):
    async with openai.AsyncOpenAI(base_url=URL + "/v1", **OPTIONS) as client:
        stream = await client.chat.completions.create(stream=True, **(ASKED | more))
        return [chunk.model_dump() async for chunk in stream]


def keep(name, value):
    """Fail if a second run got another value than the first."""
    import json, pathlib
    file = pathlib.Path(os.environ["KEPT"]) / name
    if file.exists():
        assert json.loads(file.read_text()) == json.loads(json.dumps(value))
    file.write_text(json.dumps(value))
'''


@pytest.fixture(scope="module")
def provider() -> Iterator[Simulator]:
    with simulator() as running:
        yield running


@pytest.fixture
def run(pytester: pytest.Pytester, provider: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator["Run"]:
    kept = pytester.mkdir("kept")
    monkeypatch.setenv("KEPT", str(kept))
    monkeypatch.setenv("SIMULATOR", provider.origin)
    monkeypatch.delenv("KEY", raising=False)
    yield Run(pytester, provider, monkeypatch)
    provider.reset()


class Run:
    """A test file that is run against the simulator, or without a network."""

    def __init__(self, pytester: pytest.Pytester, provider: Simulator, patch: pytest.MonkeyPatch) -> None:
        self.pytester = pytester
        self.provider = provider
        self._patch = patch

    def write(self, source: str) -> None:
        self.pytester.makepyfile(test_it=CALLS + source)

    def record(self, *arguments: str, mode: str = "once") -> pytest.RunResult:
        return self.pytester.runpytest_inprocess(f"--l0-record={mode}", *arguments)

    def play(self, *arguments: str) -> pytest.RunResult:
        """Run the tests at an address where nothing listens, with another key."""
        self._patch.setenv("SIMULATOR", "http://nowhere.invalid")
        self._patch.setenv("KEY", "test")
        before = len(self.provider.requests)
        result = self.pytester.runpytest_inprocess(*arguments)
        assert len(self.provider.requests) == before
        self._patch.setenv("SIMULATOR", self.provider.origin)
        return result

    def file(self, name: str) -> Path:
        return self.pytester.path / "cassettes" / "test_it" / f"{name}.json"

    def recordings(self, name: str) -> list[dict]:
        return json.loads(self.file(name).read_text())["recordings"]

    def silence(self, name: str, silences: list[tuple[int, float] | None]) -> None:
        """Let recordings end in a silence: after the number of reads, ended by the client at the time in ms."""
        content = json.loads(self.file(name).read_text())
        for one, silence in zip(content["recordings"], silences, strict=True):
            if silence is not None:
                one["reads"] = one["reads"][: silence[0]]
                one["end"] = {"end": "gave_up", "at_ms": silence[1]}
        self.file(name).write_text(json.dumps(content))


EVERY_KIND = """
@pytest.mark.l0_cassette
def test_whole():
    keep("whole", ask().model_dump())

@pytest.mark.l0_cassette
def test_stream():
    keep("stream", streamed())

@pytest.mark.l0_cassette
def test_async():
    keep("async", asyncio.run(ask_async()))

@pytest.mark.l0_cassette
@pytest.mark.parametrize("name", ["a/b", "c"])
def test_messages(name):
    asked = dict(model="claude", max_tokens=4096, messages=[{"role": "user", "content": name}])
    with anthropic.Anthropic(base_url=URL, **OPTIONS) as client, client.messages.stream(**asked) as stream:
        keep("messages" + name[0], stream.get_final_message().model_dump())

class TestMore:
    def test_fixture(self, l0_cassette):
        keep("fixture", [ask().model_dump(), ask().model_dump()])
        if l0_cassette.mode == "none":
            assert l0_cassette.all_played and l0_cassette.play_count == 2
"""


def test_every_kind_of_call_is_recorded_and_played(run: Run) -> None:
    run.write(EVERY_KIND)
    run.record().assert_outcomes(passed=6)
    run.play().assert_outcomes(passed=6)
    assert run.file("test_messages[a-b]").is_file()
    assert run.file("TestMore.test_fixture").is_file()
    reads = run.recordings("test_stream")[0]["reads"]
    assert len(reads) > 3
    assert all(text.startswith("data: ") for _, text in reads)


@pytest.mark.parametrize(
    ("recorded_with", "played_with"),
    [("", "l0.instrument()"), ("l0.instrument()", ""), ("l0.instrument()", "l0.instrument()")],
)
def test_recordings_serve_with_and_without_instrument(run: Run, recorded_with: str, played_with: str) -> None:
    prefix = "import l0\n@pytest.fixture(autouse=True)\ndef sdks():\n    {}\n    yield\n    l0.uninstrument()\n"
    run.write(prefix.format(recorded_with or "pass") + EVERY_KIND)
    run.record().assert_outcomes(passed=6)
    run.write(prefix.format(played_with or "pass") + EVERY_KIND)
    run.play().assert_outcomes(passed=6)


@needs_trio  # whose garbage collector complains about the SDK's generators, with and without a cassette
def test_trio(run: Run) -> None:
    mark = '@pytest.mark.l0_cassette\n@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")\n'
    run.write(mark + 'def test_it():\n    import trio\n    keep("trio", trio.run(ask_async))\n')
    run.record().assert_outcomes(passed=1)
    run.play("--l0-speed=1").assert_outcomes(passed=1)


LIGHT = f"""
import os, pytest
import {httpx.__name__} as httpx

@pytest.mark.l0_cassette
@pytest.mark.parametrize("number", range(1, 5))
def test_it(number):
    with httpx.Client() as client:
        url = os.environ["SIMULATOR"] + "/v1/chat/completions"
        asked = {{"model": "m", "n": number, "messages": []}}
        assert client.post(url, json=asked).status_code == 200
"""


def test_workers_of_xdist(run: Run) -> None:
    run.pytester.makepyfile(test_it=LIGHT)
    run.pytester.runpytest_subprocess("-n2", "-p", "no:hypothesispytest", "--l0-record=once").assert_outcomes(passed=4)
    run.play().assert_outcomes(passed=4)
    assert len(list(run.file("x").parent.iterdir())) == 4


BROKEN = """
OPTIONS["timeout"] = 3  # a stall lasts so long: what comes before it must come in time

@pytest.mark.l0_cassette
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_broken(mode):
    with pytest.raises(Exception) as raised:
        streamed() if mode == "sync" else asyncio.run(ask_async())
    links, link = [], raised.value
    while isinstance(link, Exception):
        links.append(type(link).__name__)
        link = link.__cause__ or link.__context__
    keep(mode, [str(raised.value), links])
"""


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        (Fault.reset(at_event=3), "error"),
        (Fault.cut(at_event=3), "error"),
        (Fault.refuse(), "error"),
        (Fault.bad_chunk_header(at_event=3), "error"),
        (Fault.corrupt_gzip(at_event=3), "closed"),
        (Fault.stall(at_event=3), "error"),
        (Fault.status(503), "eof"),
        (Fault.status(429, {"retry-after": "7"}), "eof"),
    ],
)
def test_faults_are_kept(run: Run, fault: Fault, end: str) -> None:
    run.write(BROKEN)
    run.provider.script(fault, fault)
    run.record().assert_outcomes(passed=2)
    run.play().assert_outcomes(passed=2)
    assert [run.recordings(f"test_broken[{mode}]")[0]["end"]["end"] for mode in ("sync", "async")] == [end, end]


LIMITED = """
import l0

OPTIONS["timeout"] = 60
NO_LIMITS = dict(initial_token=None, inter_token=None)
POLICY = l0.Policy(retry=l0.Retry(attempts=1, max_retries=1, base_delay=0), %s)
EVENTS = []


def seen(call, event):
    EVENTS.append([type(event).__name__, getattr(getattr(event, "failure", None), "cause", None)])


@pytest.fixture(autouse=True)
def sdks():
    l0.instrument(POLICY, observers=[seen])
    yield
    l0.uninstrument()


@pytest.mark.l0_cassette
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_limited(mode):
    EVENTS.clear()
    result = []
    try:
        result = streamed() if mode == "sync" else asyncio.run(ask_async())
    except Exception as error:
        result = [type(error).__name__, str(error)]
    keep(mode, [result, EVENTS])
"""
FIRST, GAP = "NO_LIMITS | dict(initial_token={ms})", "NO_LIMITS | dict(inter_token={ms})"
LIMITS = {
    "headers": (f"timeout=l0.Timeout(**{FIRST})", Fault.no_headers(), 2),
    "first content": (f"timeout=l0.Timeout(**{FIRST})", Fault.stall(at_event=1), 2),
    "gap": (f"timeout=l0.Timeout(**{GAP})", Fault.stall(at_event=4), 1),
    "gap, held": (f"hold='message', timeout=l0.Timeout(**{GAP})", Fault.stall(at_event=4), 2),
    "liveness": ("hold='message', timeout=l0.Timeout(**NO_LIMITS, liveness={ms})", Fault.stall(at_event=4), 2),
    "total": ("timeout=l0.Timeout(**NO_LIMITS, total={ms})", Fault.stall(at_event=4), 1),
}


@pytest.mark.parametrize(("limits", "fault", "attempts"), LIMITS.values(), ids=LIMITS)
def test_limits_of_l0_end_a_played_silence_as_they_did(run: Run, limits: str, fault: Fault, attempts: int) -> None:
    run.write(LIMITED % limits.format(ms=300))
    run.provider.script(*[fault] * (2 * attempts))
    run.record().assert_outcomes(passed=2)
    run.play().assert_outcomes(passed=2)
    for mode in ("sync", "async"):
        assert [one["end"]["end"] for one in run.recordings(f"test_limited[{mode}]")] == ["gave_up"] * attempts


def test_longer_limit_than_the_recorded_one_fails_the_test(run: Run) -> None:
    limits = LIMITS["first content"][0]
    run.write(LIMITED % limits.format(ms=300))
    run.provider.script(*[Fault.stall(at_event=1)] * 4)
    run.record().assert_outcomes(passed=2)
    run.write(LIMITED % limits.format(ms=60_000))
    result = run.play()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["The client of the recording of POST * stopped waiting here, 0.* but this client *"])


def test_hedge_of_a_silent_request_is_played(run: Run) -> None:
    run.write(LIMITED % "hedge=l0.Hedge(after=300)")
    run.provider.script(Fault.stall(at_event=0), None, Fault.stall(at_event=0), None)
    run.record().assert_outcomes(passed=2)
    run.play().assert_outcomes(passed=2)
    for mode in ("sync", "async"):
        _, events = json.loads(run.pytester.path.joinpath("kept", mode).read_text())
        assert [name for name, _ in events].count("AttemptStarted") == 2
        assert [one["end"]["end"] for one in run.recordings(f"test_limited[{mode}]")] == ["gave_up", "eof"]


CALLS_FOR_RACES = """
@pytest.mark.l0_cassette
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_limited(mode):
    for _ in range(%d):
        streamed() if mode == "sync" else asyncio.run(ask_async())
"""
NO_CONTENT, SOME_CONTENT = 1, 4
"""Reads of an answer."""
RACES = {
    "hedge answers": ("NO_LIMITS", [(NO_CONTENT, 30_100), None], [None, None, None]),
    "each is late": (
        "NO_LIMITS | dict(initial_token=60_000)",
        [(NO_CONTENT, 60_000), (NO_CONTENT, 60_000), None],
        ["first_content_timeout", "first_content_timeout", None, None],
    ),
    "hedge has the rest of the time": (
        "NO_LIMITS | dict(total=60_000)",
        [(NO_CONTENT, 30_100), (SOME_CONTENT, 30_000)],
        [None, "total_timeout", "total_timeout"],
    ),
    "both use up the time": (
        "NO_LIMITS | dict(total=60_000)",
        [(NO_CONTENT, 60_000), (NO_CONTENT, 30_000)],
        ["total_timeout", "total_timeout", "total_timeout"],
    ),
    "deadline is before the hedge": (
        "NO_LIMITS | dict(initial_token=20_000)",
        [(NO_CONTENT, 20_000), None],
        ["first_content_timeout", None, None],
    ),
}


@pytest.mark.parametrize(("limits", "silences", "causes"), RACES.values(), ids=RACES)
def test_silences_of_a_hedged_call_are_played_without_a_wait(
    run: Run, limits: str, silences: list[tuple[int, float] | None], causes: list[str | None]
) -> None:
    """``causes``: of the ends of the attempts, and of the call."""
    run.write(CALLS_FOR_RACES % len(silences))
    run.record().assert_outcomes(passed=2)
    for mode in ("sync", "async"):
        run.silence(f"test_limited[{mode}]", silences)
    run.write(LIMITED % f"hedge=l0.Hedge(after=30_000), timeout=l0.Timeout(**({limits}))")
    run.play().assert_outcomes(passed=2)
    for mode in ("sync", "async"):
        events = json.loads(run.pytester.path.joinpath("kept", mode).read_text())[1]
        assert [cause for name, cause in events if name in ("AttemptEnded", "CallEnded")] == causes


def test_silence_that_the_test_itself_ended_is_no_limit_of_l0(run: Run) -> None:
    run.write(CALLS_FOR_RACES % 1)
    run.record().assert_outcomes(passed=2)
    for mode in ("sync", "async"):
        run.silence(f"test_limited[{mode}]", [(SOME_CONTENT, 300)])
    run.write(LIMITED % LIMITS["gap"][0].format(ms=500))
    result = run.play()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["The client of * stopped waiting here, 0.3 s after *l0_simulator*"])


@pytest.mark.parametrize("hedge", ["False", "l0.Hedge(after=30_000)"])
def test_played_silences_leave_no_time_for_a_retry(run: Run, hedge: str) -> None:
    silences = [(NO_CONTENT, 60_000)] * (1 if hedge == "False" else 2)
    run.write(CALLS_FOR_RACES % len(silences))
    run.record().assert_outcomes(passed=2)
    for mode in ("sync", "async"):
        run.silence(f"test_limited[{mode}]", silences)
    limited = LIMITED % f"hedge={hedge}, timeout=l0.Timeout(**(NO_LIMITS | dict(initial_token=60_000, total=61_000)))"
    run.write(limited.replace("base_delay=0", "base_delay=10, strategy='fixed'"))
    run.play().assert_outcomes(passed=2)
    for mode in ("sync", "async"):
        events = json.loads(run.pytester.path.joinpath("kept", mode).read_text())[1]
        assert [name for name, _ in events].count("AttemptStarted") == len(silences)
        assert events[-1] == ["CallEnded", "first_content_timeout"]


def test_request_that_never_got_an_answer_is_kept(run: Run) -> None:
    run.pytester.path.joinpath("test_it.py").write_text(
        CALLS.replace('os.environ["SIMULATOR"]', '"http://127.0.0.1:1"') + BROKEN
    )
    run.record().assert_outcomes(passed=2)
    (entry,) = run.recordings("test_broken[sync]")
    assert "head" not in entry
    assert entry["end"]["error"][0]["type"].endswith(".ConnectError")
    run.play().assert_outcomes(passed=2)


ONE = """
@pytest.mark.l0_cassette
def test_one():
    ask(temperature=0.5, messages=[{"role": "user", "content": "%s"}])
"""


def test_request_without_a_recording_shows_the_nearest_and_the_field(run: Run) -> None:
    run.write(ONE % "hello")
    run.record()
    run.write(ONE.replace("0.5", "0.7") % "hello")
    result = run.play()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "No recording for POST http://nowhere.invalid/v1/chat/completions (--l0-record=none).",
            "The nearest of 1 in *test_one.json is number 1. It differs in:",
            "  temperature",
            "    recorded: 0.5",
            "    sent:     0.7",
        ]
    )


def test_test_without_a_file_says_how_to_record(run: Run) -> None:
    run.write(ONE % "hello")
    result = run.play()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_one.json does not exist: --l0-record=once records it."])


def test_recording_is_played_once(run: Run) -> None:
    run.write(ONE % "hello")
    run.record()
    run.write(ONE % "hello" + "    ask(temperature=0.5)\n")
    result = run.play()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*number 1, which was already played. It is the same, but each recording is played once: this test sends *",
        ]
    )


RETRIED = """
@pytest.mark.l0_cassette
def test_retried(l0_cassette):
    with openai.OpenAI(base_url=URL + "/v1", **(OPTIONS | dict(max_retries={retries}))) as client:
        try:
            client.chat.completions.create(**ASKED)
        except openai.InternalServerError:
            pass
    assert not {fails}
    if l0_cassette.mode == "none":
        assert (l0_cassette.play_count, l0_cassette.all_played) == ({retries} + 1, {retries} == 1)
"""


def test_recordings_that_no_request_got_are_a_warning(run: Run) -> None:
    warned = "-W", "default::pytest.PytestWarning"
    run.provider.script(*["status 503 retry-after-ms=1"] * 2)
    run.write(RETRIED.format(retries=1, fails=False))
    run.record(*warned).assert_outcomes(passed=1, warnings=0)
    run.play(*warned).assert_outcomes(passed=1, warnings=0)
    run.write(RETRIED.format(retries=0, fails=False))
    result = run.play(*warned)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*PytestWarning: 1 of 2 recordings in *test_retried.json were not played: *"])
    run.play("-W", "error::pytest.PytestWarning").assert_outcomes(passed=1, errors=1)
    run.write(RETRIED.format(retries=0, fails=True))
    run.play(*warned).assert_outcomes(failed=1, warnings=0)


KEYS = """
@pytest.mark.l0_cassette
def test_keys():
    asked = dict(model="claude", max_tokens=9, messages=[{"role": "user", "content": "hello"}])
    with openai.OpenAI(base_url=URL + "/v1") as client, anthropic.Anthropic(base_url=URL) as other:
        assert client.chat.completions.create(**ASKED) and other.messages.create(**asked)


def test_none_remains():
    assert "OPENAI_API_KEY" not in os.environ
"""


def test_playing_needs_no_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    names = "OPENAI_API_KEY", "ANTHROPIC_API_KEY"
    run.write(KEYS)
    for name in names:
        monkeypatch.setenv(name, "sk-real")
    run.record("-k", "test_keys").assert_outcomes(passed=1)
    for name in names:
        monkeypatch.delenv(name)
    run.play("-p", "no:randomly").assert_outcomes(passed=2)
    run.file("test_keys").unlink()
    run.record("-k", "test_keys").assert_outcomes(failed=1)  # a provider would refuse an invented key


def test_application_that_hides_the_error_fails_too(run: Run) -> None:
    run.write(
        "@pytest.mark.l0_cassette\ndef test_one():\n    try:\n        ask()\n    except BaseException:\n        pass\n"
    )
    result = run.play()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["the test passed, but a request had no recording."])


def test_once_plays_a_file_and_records_nothing_new(run: Run) -> None:
    run.write(ONE % "hello")
    run.record()
    before = run.file("test_one").read_text()
    run.record().assert_outcomes(passed=1)
    run.write(ONE % "other")
    run.record().assert_outcomes(failed=1)
    assert run.file("test_one").read_text() == before


def test_new_episodes_adds_and_all_records_again(run: Run) -> None:
    run.write(ONE % "hello")
    run.record()
    first = run.recordings("test_one")
    run.write(ONE % "hello" + "    ask()\n")
    run.record(mode="new_episodes").assert_outcomes(passed=1)
    assert run.recordings("test_one")[0] == first[0]
    assert len(run.recordings("test_one")) == 2
    run.write(ONE % "other")
    run.record(mode="all").assert_outcomes(passed=1)
    (only,) = run.recordings("test_one")
    assert only["request"]["body"]["json"]["messages"][0]["content"] == "other"


FORM = """
@pytest.mark.l0_cassette
def test_it():
    transport = getattr(openai._base_client, "httpx2", None) or openai._base_client.httpx
    with transport.Client() as client:
        client.post(URL + "/v1/chat/completions?b=1&a=2", json={"model": "m", "n": 1})
        client.post(URL + "/v1/files", data={"purpose": "x"}, files={"file": ("a", bytes([255, 1]))})
"""


def test_order_of_keys_and_drawn_boundaries_do_not_count(run: Run) -> None:
    run.write(FORM)
    run.record().assert_outcomes(passed=1)
    run.write(FORM.replace("b=1&a=2", "a=2&b=1").replace('{"model": "m", "n": 1}', '{"n": 1.0, "model": "m"}'))
    run.play().assert_outcomes(passed=1)
    parts = run.recordings("test_it")[1]["request"]["body"]["parts"]
    assert [part["name"] for part in parts] == ["purpose", "file"]
    assert parts[1]["bytes"] == 2


MULTIMODAL = """
import asyncio, base64, random

PICTURE = base64.b64encode(random.Random(1).randbytes(30_000)).decode()
SOUND = random.Random(2).randbytes(30_000)
SEEN = [dict(role="user", content=[dict(type="image_url", image_url=dict(url=f"data:image/png;base64,{PICTURE}"))])]
SOURCE = dict(type="base64", media_type="image/png", data=PICTURE)
SHOWN = [dict(role="user", content=[dict(type="image", source=SOURCE)])]
WHISPER = dict(model="gpt-4o-transcribe", file=("a.wav", SOUND, "audio/wav"))


@pytest.mark.l0_cassette
def test_media():
    keep("spoken", streamed(modalities=["text", "audio"], audio=dict(voice="alloy", format="pcm16"), messages=SEEN))
    with anthropic.Anthropic(base_url=URL, **OPTIONS) as client:
        keep("shown", client.messages.create(model="m", max_tokens=9, messages=SHOWN).model_dump())


@pytest.mark.l0_cassette
def test_uploads():
    with openai.OpenAI(base_url=URL + "/v1", **OPTIONS) as client:
        keep("text", client.audio.transcriptions.create(**WHISPER).text)
        streaming = client.post(
            "/audio/transcriptions", cast_to=object, stream=True, stream_cls=openai.Stream[object],
            body=dict(model="m", stream="true"), files=dict(file=WHISPER["file"]),
            options=dict(headers={"Content-Type": "multipart/form-data"}),
        )
        keep("events", [dict(event) for event in streaming])
        keep("file", client.files.create(file=("b.bin", SOUND), purpose="assistants").model_dump())

    async def run():
        async with openai.AsyncOpenAI(base_url=URL + "/v1", **OPTIONS) as client:
            keep("async", (await client.audio.transcriptions.create(**WHISPER)).text)

    asyncio.run(run())
"""


def test_media_and_uploads_are_recorded_and_played(run: Run) -> None:
    run.write(MULTIMODAL)
    run.record().assert_outcomes(passed=2)
    run.play().assert_outcomes(passed=2)
    uploads = [one["request"]["body"]["parts"] for one in run.recordings("test_uploads")]
    assert len(uploads) == 4
    (sound,) = [part for part in uploads[0] if part["name"] == "file"]
    assert (sound["filename"], sound["type"], sound["bytes"]) == ("a.wav", "audio/wav", 30_000)
    run.write(MULTIMODAL.replace("Random(2)", "Random(3)"))
    failed = run.play("-k", "uploads")
    failed.assert_outcomes(failed=1)
    failed.stdout.fnmatch_lines(["*parts*sha256*"])


SECRETS = """
@pytest.mark.l0_cassette(redact=lambda text: text.replace("Maria", "M."))
def test_secrets():
    secret = os.environ.get("SECRET", "canary-opaque-value-77")
    ask(
        messages=[{"role": "user", "content": f"I am Maria, my key is {OPTIONS['api_key']}, or {secret}"}],
        extra_headers={"x-customer-token": secret, "cookie": f"session={secret}"},
        extra_query={"api-key": secret, "v": "1"},
        extra_body={"password": secret},
    )
"""


def test_secrets_are_in_no_file_and_other_secrets_play_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.write(SECRETS)
    run.provider.script(Fault.status(200, {"set-cookie": "session=canary-of-provider"}))
    run.record()
    text = run.file("test_secrets").read_text()
    for secret in ("CANARY", "canary", "Maria"):
        assert secret not in text
    monkeypatch.setenv("SECRET", "another-value-88")
    run.play().assert_outcomes(passed=1)


def test_ignored_fields_and_hosts(run: Run) -> None:
    mark = '@pytest.mark.l0_cassette(ignore=["messages[0].content", "user"])'
    run.write(ONE.replace("@pytest.mark.l0_cassette", mark) % "hello")
    run.record()
    run.write(ONE.replace("@pytest.mark.l0_cassette", mark).replace("0.5", "0.5, user='me'") % "other")
    run.play().assert_outcomes(passed=1)
    run.write(ONE.replace("@pytest.mark.l0_cassette", '@pytest.mark.l0_cassette(ignore_hosts=["127.0.0.1"])') % "hi")
    before = len(run.provider.requests)
    run.record(mode="all").assert_outcomes(passed=1)
    assert len(run.provider.requests) == before + 1
    assert run.recordings("test_one")[0]["request"]["body"]["json"]["messages"][0]["content"] == "hello"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("speed=0", "*speed=0 is not a positive number"),
        ('ignore="user"', "*ignore takes a list of strings, not one string"),
        ("sped=1", "options of l0_cassette: *.sped: no such option; did you mean speed[?] One of speed, ignore, *"),
        ('"name"', "*takes keyword arguments only"),
    ],
)
def test_wrong_option_is_an_error_that_names_it(pytester: pytest.Pytester, options: str, message: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.l0_cassette({options})\ndef test_it():\n    pass\n")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("During handling*")  # else the message is there twice


def test_options_come_from_fixture_then_marker_then_command_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def l0_cassette_options():
            return {"speed": 2, "ignore": ["user"]}

        @pytest.mark.l0_cassette(speed=3)
        def test_marker(l0_cassette, pytestconfig):
            expected = pytestconfig.getoption("--l0-speed") or 3
            assert (l0_cassette.options.speed, l0_cassette.options.ignore) == (expected, ["user"])
        """
    )
    for arguments in ([], ["--l0-speed=4"]):
        pytester.runpytest_inprocess(*arguments).assert_outcomes(passed=1)


def test_fixtures_of_the_test_are_recorded_and_wider_ones_are_not(run: Run) -> None:
    run.write(
        """
@pytest.fixture(scope="session")
def started():
    ask(model="session")

@pytest.fixture
def prepared():
    ask(model="function")

@pytest.mark.l0_cassette
def test_it(prepared, started):
    ask(model="test")
"""
    )
    before = len(run.provider.requests)
    run.record().assert_outcomes(passed=1)
    assert len(run.provider.requests) == before + 3
    models = [entry["request"]["body"]["json"]["model"] for entry in run.recordings("test_it")]
    assert models == ["function", "test"]


def test_broken_file_is_named(run: Run) -> None:
    run.write(ONE % "hello")
    run.file("test_one").parent.mkdir(parents=True)
    run.file("test_one").write_text('{"l0_cassette": 1, "recordings": [{}]}')
    result = run.play()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*test_one.json is not a cassette*--l0-record=all records it again"])


def test_client_that_reads_on_where_the_recorded_one_stopped(run: Run) -> None:
    source = """
@pytest.mark.l0_cassette
def test_it():
    with openai.OpenAI(base_url=URL + "/v1", **OPTIONS) as client:
        stream = client.chat.completions.create(stream=True, **ASKED)
        next(iter(stream))
        stream.close()
"""
    run.write(source)
    run.record("-Wdefault").assert_outcomes(passed=1)
    run.play().assert_outcomes(passed=1)
    run.write(source.replace("next(iter(stream))", "list(stream)"))
    result = run.play()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["The client of the recording of POST * closed the answer here, but this client reads more*"]
    )


def test_run_without_a_cassette_imports_and_patches_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert not {"httpx", "httpx2", "openai", "anthropic", "opentelemetry"} & sys.modules.keys()
            loaded = [name for name in sys.modules if name.startswith("l0.")]
            assert loaded == ["l0.pytest_plugin", "l0.pytest_plugin.plugin"]
        """
    )
    pytester.runpytest_subprocess("-p", "no:logfire").assert_outcomes(passed=1)


RUN_AGAIN = """
from _pytest.runner import runtestprotocol


def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, nextitem=nextitem, log=False)
    item._initrequest()
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    runtestprotocol(item, nextitem=nextitem)
    return True
"""


def test_test_that_is_run_again_fails_again(run: Run) -> None:
    run.pytester.makeconftest(RUN_AGAIN)  # as pytest-rerunfailures does
    run.write("""
@pytest.mark.l0_cassette
def test_hidden():
    try:
        ask()
    except BaseException:
        pass
""")
    run.play().assert_outcomes(passed=1, errors=1)


COLLIDING = """
@pytest.mark.l0_cassette
@pytest.mark.parametrize("text", ["a/b", "a:b"])
def test_it(text):
    ask(messages=[{"role": "user", "content": text}])


class Outer:
    class TestMore:
        @pytest.mark.l0_cassette
        def test_same(self):
            ask(messages=[{"role": "user", "content": "outer"}])


class TestMore(Outer.TestMore):
    class TestMore(Outer.TestMore):
        pass
"""


def test_tests_with_the_same_file_name_have_cassettes_of_their_own(run: Run) -> None:
    run.write(COLLIDING)
    run.record().assert_outcomes(passed=4)
    names = [path.name for path in run.file("").parent.iterdir()]
    assert len(names) == 4
    assert {"test_it[a-b].json", "TestMore.test_same.json"} < set(names)
    run.play().assert_outcomes(passed=4)
    run.record("-k", "a:b", mode="all").assert_outcomes(passed=1, deselected=3)
    run.play("-p", "no:randomly").assert_outcomes(passed=4)
    assert len(list(run.file("").parent.iterdir())) == 4


def test_cassette_that_names_no_test_is_played(run: Run) -> None:
    run.write(COLLIDING)
    run.record("-k", "a:b").assert_outcomes(passed=1, deselected=3)
    file = run.file("test_it[a-b]")
    content = json.loads(file.read_text())
    assert content.pop("test") == "test_it[a:b]"
    file.write_text(json.dumps(content))
    run.play("-k", "a:b").assert_outcomes(passed=1, deselected=3)
