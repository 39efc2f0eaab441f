"""The fixture `l0_simulator`."""

import pytest

TESTS = """
import os

import anthropic, openai, pytest

ASKED = dict(model="m", messages=[{"role": "user", "content": "hi"}])


@pytest.fixture
def client():
    with openai.OpenAI(max_retries=0) as made:
        yield made


def test_both_sdks_call_it(l0_simulator):
    l0_simulator.on("hi", reply="text Hi.")
    with openai.OpenAI() as one, anthropic.Anthropic() as other:
        assert one.chat.completions.create(**ASKED).choices[0].message.content == "Hi."
        assert other.messages.create(**ASKED, max_tokens=99).content[0].text == "Hi."
    assert len(l0_simulator.requests) == 2


@pytest.mark.l0_simulator(seed=7)
def test_marker_gives_the_fixture_before_those_of_the_test(client, l0_simulator):
    assert l0_simulator.config.seed == 7
    assert client.chat.completions.create(**ASKED).id.startswith("chatcmpl-")


@pytest.mark.l0_simulator
def test_marker_alone(client):
    assert client.chat.completions.create(**ASKED)


@pytest.mark.l0_simulator(api_keys=["sk-test"])
def test_clients_have_a_valid_key(client):
    assert client.chat.completions.create(**ASKED)


async def call():
    async with openai.AsyncOpenAI(max_retries=0) as made:
        return await made.chat.completions.create(**ASKED)


def test_async(l0_simulator):
    import asyncio

    assert asyncio.run(call()).choices


def test_environment_is_restored():
    assert "OPENAI_BASE_URL" not in os.environ
"""


def test_simulator_fixture(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    pytester.makepyfile(TESTS)
    pytester.runpytest_inprocess("-p", "no:randomly").assert_outcomes(passed=6)


def test_options_come_from_fixture_then_marker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def l0_simulator_options():
            return {"seed": 1, "host_names": ["box.lan"]}

        @pytest.mark.l0_simulator(seed=2)
        def test_it(l0_simulator):
            assert (l0_simulator.config.seed, l0_simulator.config.host_names) == (2, ("box.lan",))
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("sed=1", "options of l0_simulator: simulator.sed: no such option; did you mean seed[?] One of seed, *"),
        ("port=70000", "*options of l0_simulator: port: 70000 given*"),
        ('"seed"', "*the marker l0_simulator takes keyword arguments only"),
        ('traffic_dir="nowhere"', "*options of l0_simulator: traffic_dir: nowhere is not a directory"),
    ],
)
def test_wrong_option_is_an_error_that_names_it(pytester: pytest.Pytester, options: str, message: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.l0_simulator({options})\ndef test_it():\n    pass\n")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("During handling*")  # else the message is there twice


def test_value_error_of_a_test_is_its_own_failure(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(l0_simulator):\n    raise ValueError('mine')\n")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ValueError: mine"])


LEFTOVERS = """
import openai, pytest


@pytest.fixture(autouse=True)
def client(l0_simulator):
    with openai.OpenAI(max_retries=0) as made:
        yield made


def ask(client):
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])


def test_all_used(client, l0_simulator):
    l0_simulator.script("text Hi.", None)
    ask(client)
    assert [str(reply.fault) for reply in l0_simulator.unused_replies] == ["ok"]
    ask(client)
    assert l0_simulator.unused_replies == []


def test_two_left(client, l0_simulator):
    l0_simulator.script("text Hi.", "status 503", "text Hi.")
    ask(client)


def test_failed(l0_simulator):
    l0_simulator.script("status 503")
    assert False
"""


def test_replies_of_the_script_that_no_request_got_are_a_warning(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(LEFTOVERS)
    result = pytester.runpytest_inprocess("-p", "no:randomly", "-W", "default::pytest.PytestWarning")
    result.assert_outcomes(passed=2, failed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*PytestWarning: l0_simulator: 2 replies of the script were not used *: status 503, ok)"]
    )


def test_client_that_was_made_at_import_is_a_warning(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.syspath_prepend(pytester.path)
    pytester.makepyfile(
        app_under_test="""
        import openai
        client = openai.OpenAI(api_key="k")
        elsewhere = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1")
        """,
        test_it="""
        import openai
        from app_under_test import client

        def test_missed(l0_simulator):
            pass

        def test_reached(l0_simulator):
            with openai.OpenAI() as made:
                made.models.list()
        """,
    )
    result = pytester.runpytest_inprocess("-p", "no:randomly", "-W", "default::pytest.PytestWarning")
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        ["*PytestWarning: l0_simulator received no request. *.client (https://api.openai.com/v1/), *.else*"]
    )


def test_fault_of_the_script_that_changes_nothing_is_a_warning(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        LEFTOVERS.partition("def test_all_used")[0]
        + """
def test_late(client, l0_simulator):
    l0_simulator.script("bom | reset at_event=999")
    for chunk in client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True):
        pass
    assert [received.answered for received in l0_simulator.requests] == ["bom"]
"""
    )
    result = pytester.runpytest_inprocess("-p", "no:randomly", "-W", "default::pytest.PytestWarning")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*PytestWarning: l0_simulator: faults of the script changed nothing*: reset at_event=999"]
    )


def test_failed_test_shows_clients_elsewhere_without_a_second_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import openai
        client = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1")

        def test_failed(l0_simulator):
            assert False
        """
    )
    result = pytester.runpytest_inprocess("-W", "error::pytest.PytestWarning")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*l0_simulator received no request.*.client (http://127.0.0.1:9/v1/)*"])


def test_simulator_whose_answers_a_cassette_plays_is_no_warning(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import openai, pytest
        elsewhere = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1")

        @pytest.mark.l0_cassette
        def test_recorded(l0_simulator):
            l0_simulator.script("text Hi.")
            with openai.OpenAI() as client:
                client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        """
    )
    for arguments in (["--l0-record=once"], []):
        result = pytester.runpytest_inprocess("-W", "error::pytest.PytestWarning", *arguments)
        result.assert_outcomes(passed=1)
