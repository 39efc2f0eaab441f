"""`l0 simulate` in a separate process, and the general command line."""

import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace

import anthropic
import openai
import pytest

from l0.cli.main import main
from l0.cli.simulate import request_line
from l0.simulator.access import RateLimits
from l0.simulator.latency_profiles import PROFILES
from l0.simulator.ledger import Received
from l0.simulator.pacing import Delays
from l0.simulator.script_grammar import vocabulary
from l0.simulator.simulator_config import SimulatorConfig
from l0.testing import simulator


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_simulate_answers_both_sdks_and_stops_on_a_signal(stop: signal.Signals) -> None:
    command = [sys.executable, "-m", "l0", "simulate", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", first)
            assert found, first
            with openai.OpenAI(api_key="x", base_url=f"{found.group()}/v1") as one:
                answer = one.responses.create(model="simulated", input="[[simulate: answer short]]")
                assert answer.output_text == "Yes."
            with anthropic.Anthropic(api_key="x", base_url=found.group()) as other:
                message = other.messages.create(
                    model="simulated", max_tokens=4096, messages=[{"role": "user", "content": "hello"}]
                )
                assert message.stop_reason == "end_turn"
            process.send_signal(stop)
            _, errors = process.communicate(timeout=30)
            assert (process.returncode, errors) == (0, "")
        finally:
            process.kill()


def test_simulate_names_a_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        with simulator() as taken:
            port = taken.origin.rpartition(":")[2]
            assert main(["simulate", "--port", port]) == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    error = capsys.readouterr().err
    assert port in error
    assert "give a free port" in error


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--port", "70000"], ["port", "70000", "65535"]),
        (["--stragglers", "2"], ["stragglers", "2.0", "0 to 1"]),
        (["--latency", "gpt-1"], ["delays", "'gpt-1' is unknown", "gpt-5.4"]),
        (["--load-factor", "0.5"], ["load_factor", "0.5", "1 or more"]),
        (["--first-token-ms", "-1"], ["first_token_ms", "-1.0", "0 or more"]),
        (["--on", "(", "ok"], ["reply", "'('", "unterminated"]),
        (["--on", "x", "explode"], ["reply", "'x'", "'explode' is unknown"]),
        (["--on", "", "answer nothing"], ["answer", "'nothing' is unknown"]),
        (["--traffic", "no/such/folder"], ["traffic_dir", "no/such/folder"]),
    ],
)
def test_simulate_input_error_names_the_option(
    arguments: list[str], names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["simulate", *arguments]) == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    error = capsys.readouterr().err
    assert all(name in error for name in names)


def test_simulate_options_reach_the_simulator(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[SimulatorConfig] = []

    def simulate(config: SimulatorConfig, *, log: bool) -> int:
        assert not log
        made.append(config)
        return 0

    monkeypatch.setattr("l0.cli.simulate.simulate", simulate)
    options = (
        "--port 0 --seed 5 --first-token-ms 300 --inter-token-ms 20 --sigma 0.1 --stragglers 0.1 --straggler-factor 3"
        " --load-factor 4 --capacity 16"
        " --host-name box.lan --host-name simulator --api-key one --api-key two --model m --context-tokens 9"
        " --requests-per-minute 3 --input-tokens-per-minute 4"
    )
    replies = [("weather", "text 'It rains.'"), ("", "status 503 rate=0.3")]
    assert main(["simulate", *options.split(), *(word for pair in replies for word in ("--on", *pair))]) == 0
    delays = Delays(first_token_ms=300, inter_token_ms=20, sigma=0.1, stragglers=0.1, straggler_factor=3)
    delays = replace(delays, load_factor=4, capacity=16)
    expected = SimulatorConfig(
        port=0,
        seed=5,
        delays=delays,
        host_names=("box.lan", "simulator"),
        replies=tuple(replies),
        api_keys=("one", "two"),
        models=("m",),
        context_tokens=9,
        rate_limits=RateLimits(requests_per_minute=3, input_tokens_per_minute=4),
    )
    assert made == [expected]
    assert main(["simulate"]) == 0
    assert made[1] == SimulatorConfig(port=4010)
    assert main(["simulate", "--latency", "gpt-5.4", "--sigma", "0"]) == 0
    assert made[2].delays == replace(PROFILES["gpt-5.4"], sigma=0)


def test_simulate_log_has_a_line_for_each_request() -> None:
    command = [sys.executable, "-m", "l0", "simulate", "--port", "0", "--log"]
    messages = [{"role": "user", "content": "hi [[simulate: status 503; clean-end at_event=2]]"}]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            for _ in range(3):
                process.stdout.readline()
            with openai.OpenAI(api_key="x", base_url=f"{url}/v1", max_retries=1) as client:
                [*client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)]  # type: ignore[call-overload]
            lines = [process.stdout.readline()[9:-1] for _ in range(2)]  # after the time of day
        finally:
            process.kill()
    assert lines == [
        "POST /v1/chat/completions gpt-4o: status 503, 0 events",
        "POST /v1/chat/completions gpt-4o: clean-end at_event=2, 2 events",
    ]


def test_simulate_ends_if_nobody_reads_its_log_any_longer() -> None:
    command = [sys.executable, "-m", "l0", "simulate", "--port", "0", "--log"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            url = process.stdout.readline().split()[-1]
            process.stdout.close()
            client = openai.OpenAI(api_key="x", base_url=f"{url}/v1", max_retries=0)
            with client, suppress(openai.APIConnectionError):  # the server may end before its answer is sent
                client.responses.create(model="simulated", input="hello")
            errors = process.stderr.read()
            assert (process.wait(timeout=30) in (0, 141), errors) == (True, "")
        finally:
            process.kill()


def test_request_line_quotes_no_prompt_and_stays_one_line() -> None:
    body = {"model": "m\n\x1b[31m", "messages": [{"role": "user", "content": "secret"}]}
    received = Received(method="POST", path="/v1/x?" + "y" * 900, headers={}, body=body, disconnected=True)
    line = request_line(received)
    assert line.isprintable()
    assert len(line) <= 300
    assert "secret" not in line


def test_simulate_help_lists_every_word(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["simulate", "--help"])
    shown = capsys.readouterr().out
    assert "--on PATTERN REPLY" in shown
    assert all(f"\n  {word}" in shown for word in vocabulary())
    assert "stall [at_event=N] [at_byte=N] [seconds=3600]\n      Pause, then send the rest." in shown


def test_version_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert re.fullmatch(r"l0-otel \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize("arguments", [[], ["dance"], ["demo", "--calls", "many"]])
def test_invalid_command_has_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_help_imports_neither_sdk_nor_rich() -> None:
    code = (
        "import sys; from l0.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(str({'openai', 'anthropic', 'rich', 'asyncio'} & set(sys.modules) or 0))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert ended.stderr.strip() in ("", "0"), ended.stderr
