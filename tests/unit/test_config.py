"""The default policy and its override: for a block, in this thread or task, and nowhere else."""

import asyncio
import contextlib
import contextvars
import subprocess
import sys
import threading

import anyio
import pytest
from makers import collected, make_call, make_end

from l0 import config
from l0.config import CONFIG, Config, observed_by, policy
from l0.model.policy import Hold, Policy, PolicyError, Retry, Timeout
from l0.model.policy_from_environment import EnvironmentSettings, read_environment
from l0.shared_state.late_settings import LATE_SETTINGS

FAST, SLOW = Timeout(total=1000), Timeout(total=9000)


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    monkeypatch.setattr(LATE_SETTINGS, "instrumented", {"sdk"})  # else blocks without a call warn
    before = CONFIG._default
    yield
    CONFIG.set_default(before)


def test_the_default_is_what_was_set_last():
    CONFIG.set_default(Policy(timeout=FAST))
    assert CONFIG.policy().timeout is FAST
    CONFIG.set_default(None)
    assert CONFIG.policy() == Policy()


@pytest.mark.parametrize("given", [5, "strict", Timeout(), {}])
def test_a_default_that_is_no_policy_is_refused_and_changes_nothing(given):
    CONFIG.set_default(Policy(timeout=FAST))
    with pytest.raises(PolicyError) as raised:
        CONFIG.set_default(given)
    assert (raised.value.field, raised.value.given) == ("policy", given)
    assert CONFIG.policy().timeout is FAST


def test_blocks_nest_and_end():
    CONFIG.set_default(Policy(timeout=FAST))
    with policy(retry=Retry(attempts=1)) as outer:
        assert outer.timeout is FAST
        with policy(timeout=SLOW) as inner:
            assert CONFIG.policy() is inner
            assert (inner.timeout, inner.retry) == (SLOW, Retry(attempts=1))
        assert CONFIG.policy() is outer
        with policy(Policy(hold=Hold(frames=1))):
            assert CONFIG.policy().timeout is None
    assert CONFIG.policy().timeout is FAST


def test_an_error_in_the_block_ends_it_too():
    with pytest.raises(KeyError), policy(timeout=FAST):
        raise KeyError
    assert CONFIG.policy().timeout is None


def test_fields_come_on_top_of_a_policy_that_is_given():
    with policy(Policy.batch(), timeout=FAST) as chosen:
        assert chosen.timeout is FAST
        assert chosen.retry == Policy.batch().retry


def test_a_field_can_be_set_back_to_none():
    with policy(Policy.interactive(), timeout=None) as chosen:
        assert chosen.timeout is None


def test_threads_start_from_the_default():
    seen = []
    with policy(timeout=FAST):
        thread = threading.Thread(target=lambda: seen.append(CONFIG.policy().timeout))
        thread.start()
        thread.join()
        carried = contextvars.copy_context()
    thread = threading.Thread(target=lambda: seen.append(carried.run(CONFIG.policy).timeout))
    thread.start()
    thread.join()
    assert seen == [None, FAST]


def test_tasks_take_their_makers_policy_and_keep_their_own_to_themselves():
    async def child(started: asyncio.Event, proceed: asyncio.Event) -> Timeout | None:
        inherited = CONFIG.policy().timeout
        with policy(timeout=SLOW):
            started.set()
            await proceed.wait()
        return inherited

    async def main() -> None:
        started, proceed = asyncio.Event(), asyncio.Event()
        with policy(timeout=FAST):
            task = asyncio.create_task(child(started, proceed))
            await started.wait()
            assert CONFIG.policy().timeout is FAST
        proceed.set()
        assert await task is FAST
        assert CONFIG.policy().timeout is None

    asyncio.run(main())


@pytest.mark.parametrize("field", ["timeouts", "attempts", "fallback_to"])
def test_a_field_that_does_not_exist_is_named_with_those_that_do(field):
    with pytest.raises(PolicyError) as raised, policy(**{field: 1}):
        pass
    assert (raised.value.field, raised.value.given) == (f"policy.{field}", 1)
    for known in ("timeout", "retry", "truncation", "hold"):
        assert known in raised.value.allowed


def test_a_bad_value_is_refused_before_the_block():
    with pytest.raises(PolicyError, match=r"Policy\.truncation"), policy(truncation="loud"):
        pytest.fail("the block ran")
    with pytest.raises(PolicyError), policy(5):
        pytest.fail("the block ran")


# Blocks that end elsewhere


def timeout() -> Timeout | None:
    return CONFIG.policy().timeout


def test_a_block_may_end_in_another_context():
    block, copied = policy(timeout=FAST), contextvars.copy_context()
    copied.run(block.__enter__)
    assert timeout() is None
    block.__exit__(None, None, None)
    assert copied.run(timeout) is None


def test_a_block_may_end_in_a_copy_of_its_context():
    block = policy(timeout=FAST)
    block.__enter__()
    copied = contextvars.copy_context()
    copied.run(block.__exit__, None, None, None)
    assert copied.run(timeout) is None
    assert timeout() is None


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_nested_blocks_may_end_in_any_order(order):
    limits = [Timeout(total=1000), Timeout(total=2000), Timeout(total=3000)]
    blocks = [policy(timeout=limit) for limit in limits]
    for block in blocks:
        block.__enter__()
    left = set(range(3))
    for number in order:
        blocks[number].__exit__(None, None, None)
        left.discard(number)
        assert timeout() is (limits[max(left)] if left else None)


def test_a_stack_of_blocks_may_be_left_in_another_thread():
    stack = contextlib.ExitStack()
    stack.enter_context(policy(timeout=FAST))
    stack.enter_context(policy(retry=Retry(attempts=1)))
    thread = threading.Thread(target=stack.close)
    thread.start()
    thread.join()
    assert CONFIG.policy() == Policy()


def texts(limit: Timeout):
    with policy(timeout=limit):
        yield timeout()
        yield timeout()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_block_may_end_in_another_task(backend):
    async def main() -> None:
        block = policy(timeout=FAST)

        async def enter() -> None:
            block.__enter__()

        async def leave() -> None:
            block.__exit__(None, None, None)

        for part in (enter, leave):
            async with anyio.create_task_group() as group:
                group.start_soon(part)
        assert timeout() is None
        other = policy(timeout=SLOW)
        other.__enter__()
        async with anyio.create_task_group() as group:
            group.start_soon(_leave, other)
        assert timeout() is None

    async def _leave(block) -> None:
        block.__exit__(None, None, None)

    anyio.run(main, backend=backend)


def test_a_generator_may_run_in_a_new_context_each_time():
    """As a web framework does that iterates in worker threads."""
    generator = texts(FAST)
    assert contextvars.copy_context().run(next, generator) is FAST
    contextvars.copy_context().run(next, generator)
    contextvars.copy_context().run(generator.close)
    assert timeout() is None


def test_a_generator_that_is_abandoned_takes_its_policy_along():
    for found in texts(FAST):
        assert found is FAST
        break
    collected()
    assert timeout() is None


def test_an_async_generator_that_is_abandoned_takes_its_policy_along():
    async def atexts():
        with policy(timeout=FAST):
            yield timeout()
            yield timeout()

    async def main() -> None:
        async for found in atexts():
            assert found is FAST
            break
        collected()
        for _ in range(3):  # the event loop closes it in another task
            await asyncio.sleep(0)
        assert timeout() is None

    asyncio.run(main())


# Blocks in generators


async def atexts(limit: Timeout):
    with policy(timeout=limit):
        yield timeout()
        await asyncio.sleep(0)
        yield timeout()


def test_loop_over_a_generator_keeps_its_own_policy():
    with policy(timeout=SLOW):
        seen = []
        for found in texts(FAST):
            seen.append((found, timeout()))
            with policy(retry=Retry(attempts=1)):
                assert timeout() is SLOW
        assert seen == [(FAST, SLOW)] * 2
        assert timeout() is SLOW
    assert timeout() is None


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_loop_over_a_generator_keeps_its_own_policy(backend):
    async def main() -> None:
        async def given():
            with policy(timeout=FAST):
                await anyio.sleep(0)
                yield timeout()
                await anyio.sleep(0)
                yield timeout()

        assert [(found, timeout()) async for found in given()] == [(FAST, None)] * 2
        with policy(timeout=SLOW):
            async for found in given():
                assert (found, timeout()) == (FAST, SLOW)
        assert timeout() is None

    anyio.run(main, backend=backend)


def test_generators_in_one_another():
    def outer():
        with policy(timeout=SLOW):
            for found in texts(FAST):
                yield found, timeout()

    assert [(*found, timeout()) for found in outer()] == [(FAST, SLOW, None)] * 2


def test_loop_over_built_in_iterators_of_a_generator():
    assert [(found, timeout()) for _, found in enumerate(texts(FAST))] == [(FAST, None)] * 2
    assert [(*pair, timeout()) for pair in zip(texts(FAST), texts(SLOW), strict=True)] == [(FAST, SLOW, None)] * 2


def test_generator_keeps_its_policy_in_a_new_context_at_each_step():
    generator = texts(FAST)
    with policy(timeout=SLOW):
        assert [contextvars.Context().run(next, generator) for _ in range(2)] == [FAST] * 2
        assert timeout() is SLOW


def test_async_generator_keeps_its_policy_in_a_new_task_at_each_step():
    async def main() -> None:
        generator = atexts(FAST)
        found = [
            await asyncio.get_running_loop().create_task(anext(generator), context=contextvars.Context())
            for _ in range(2)
        ]
        assert found == [FAST] * 2
        assert timeout() is None
        await generator.aclose()

    asyncio.run(main())


def test_work_that_a_generator_starts_keeps_its_policy():
    """While the generator waits for it, and while the loop has the item."""

    async def now():
        return timeout()

    async def main() -> None:
        go = asyncio.Event()

        async def later():
            await go.wait()
            return timeout()

        async def given():
            with policy(timeout=FAST):
                task = asyncio.create_task(later())
                assert await asyncio.gather(now(), now(), asyncio.to_thread(timeout)) == [FAST] * 3
                yield task

        async for task in given():
            assert timeout() is None
            go.set()
            assert await task is FAST

    asyncio.run(main())


def test_context_managers_and_next_share_the_policy():
    @contextlib.contextmanager
    def quick():
        with policy(timeout=FAST):
            yield

    @contextlib.asynccontextmanager
    async def aquick():
        with quick():
            yield

    def inside():
        with quick():
            yield timeout()

    async def main() -> None:
        async with aquick():
            assert timeout() is FAST
        assert timeout() is None

    with quick():
        assert timeout() is FAST
    asyncio.run(main())
    dependency = texts(FAST)
    next(dependency)
    assert timeout() is FAST
    dependency.close()
    assert [(found, timeout()) for found in inside()] == [(FAST, None)]


@pytest.fixture
def quick_fixture():
    with policy(timeout=FAST):
        yield


def test_a_fixture_shares_its_policy(quick_fixture):
    assert timeout() is FAST


def test_generator_that_ends_early_takes_its_policy_along():
    generator = texts(FAST)
    for _ in generator:
        break
    other = policy(timeout=SLOW)
    other.__enter__()
    generator.close()
    assert timeout() is SLOW
    other.__exit__(None, None, None)
    assert timeout() is None
    assert not config._override._generators


def test_an_observer_of_a_block_may_be_left_elsewhere():
    block, copied = observed_by(Watching(None)), contextvars.copy_context()
    copied.run(block.__enter__)
    block.__exit__(None, None, None)
    assert copied.run(lambda: Config().listening) is False


# Observers


class Watching:
    def __init__(self, answer):
        self.answer = answer

    def observe(self, call):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_observers_of_a_call_leave_out_declining_and_failing_ones():
    board, watcher = Config(), object()
    board.set_observers([Watching(None), Watching(RuntimeError("broken")), Watching(watcher)])
    assert board.observers_of(None) == [watcher]
    board.set_observers([])
    assert board.observers_of(None) == []


def test_each_sdk_has_the_observers_that_it_was_given():
    board, one, other, both = Config(), object(), object(), object()
    board.set_observers([Watching(one)], "openai")
    board.set_observers([Watching(other)], "anthropic")
    assert [board.observers_of(None, sdk) for sdk in ("openai", "anthropic", None)] == [[one], [other], [other]]
    board.set_observers([Watching(both)])
    assert [board.observers_of(None, sdk) for sdk in ("openai", "anthropic", None)] == [[both], [both], [both]]


def test_call_without_an_sdk_has_the_observers_set_last_with_given_providers_if_any():
    board = Config()
    for sdk, given in (("openai", False), ("anthropic", True), ("litellm", False)):
        board.set_observers([Watching(sdk)], sdk, given=given)
    chosen = []
    for dropped in ("anthropic", "litellm", "openai", "openai"):
        chosen.append(board.observers_of(None))
        board.drop_observers(dropped)
    assert (chosen, board.observers_of(None)) == ([["anthropic"], ["litellm"], ["openai"], []], [])


def test_observer_with_the_former_method_name_works_and_warns():
    class Old:
        def watch(self, call):
            return call

    board = Config()
    board.set_observers([Old()])
    with pytest.warns(DeprecationWarning, match="Old.watch is now named observe"):
        assert board.observers_of("call") == ["call"]


def test_observer_that_fails_is_reported(caplog):
    board = Config()
    board.set_observers([Watching(RuntimeError("broken"))])
    assert board.observers_of(None) == []
    assert "Watching.observe failed and is ignored: RuntimeError" in caplog.text


class Late:
    async def observe(self, call):
        return None


@pytest.mark.parametrize(
    "observers",
    [42, "observer", [42], [lambda event: None], [None], [Watching], [Late()], Watching(None), {"a": Watching(None)}],
)
def test_observers_of_another_kind_are_refused(observers):
    with pytest.raises(
        PolicyError, match=r"observers: got .* a list of functions of .* or of objects with a method observe"
    ):
        Config().add_observers(observers)


# A policy that nothing follows


def test_policy_that_no_block_uses_warns_at_its_line():
    def forgotten():
        policy(timeout=FAST)  # this line
        collected()

    with pytest.warns(RuntimeWarning, match="no effect by itself: use it as `with") as caught:
        forgotten()
    assert (caught[0].filename, caught[0].lineno) == (__file__, forgotten.__code__.co_firstlineno + 1)


@pytest.mark.parametrize(
    ("given", "field", "allowed"),
    [
        ({"time_out": 5}, "policy.time_out", "did you mean timeout?"),
        ({"zzz": 5}, "policy.zzz", "no such option; one of timeout, retry"),
        ({"enabled": False}, "policy.enabled", 'mode="off" turns L0 off. One of timeout, retry'),
        ({"backoff": 5}, "policy.backoff", "did you mean retry=l0.Retry(strategy=...)? One of timeout, retry"),
        ({"disable": True}, "policy.disable", 'mode="off" turns L0 off. One of timeout, retry'),
        ({"timeout": 5}, "Policy.timeout", "a Timeout"),
    ],
)
def test_policy_is_checked_when_it_is_written(given, field, allowed):
    with pytest.raises(PolicyError) as raised:
        policy(**given)
    assert raised.value.field == field
    assert allowed in raised.value.allowed
    collected()  # a refused policy does not also warn that nothing uses it


def test_former_field_is_not_among_the_names_of_fields():
    with pytest.raises(PolicyError) as raised:
        policy(zzz=5)
    assert "on_resume" in raised.value.allowed
    assert "on_seam" not in raised.value.allowed


def test_none_is_not_a_policy_of_a_block():
    with pytest.raises(PolicyError) as raised:
        policy(None)
    assert (raised.value.field, raised.value.given) == ("policy", None)
    assert raised.value.allowed.startswith("an l0.Policy, or fields of one")


PROGRAM = """
import l0
{before}
with l0.policy(timeout=l0.Timeout(total=1000)):  # line 4
    {body}
"""


@pytest.mark.parametrize(
    ("before", "body", "warns"),
    [
        ("", "pass", True),
        ("l0.instrument()", "pass", False),
        ("", "l0.instrument()", False),
        ("l0.instrument(); l0.uninstrument()", "pass", True),
        ("", "l0.run_sync(lambda: iter(['text'])).read()", False),
        ("from l0 import l0 as run", "pass", False),
    ],
    ids=["no instrument", "instrument", "instrument in the block", "uninstrument", "explicit call", "explicit API"],
)
def test_policy_without_an_instrumented_sdk_warns_at_its_line(tmp_path, before, body, warns):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(before=before, body=body))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60, check=True)
    expected = "program.py:4: RuntimeWarning: l0.policy(...) has no effect, as no SDK is instrumented"
    assert (expected in done.stderr) is warns, done.stderr
    assert done.stdout == ""


def test_policy_of_a_failing_block_does_not_hide_its_error():
    with pytest.raises(KeyError), policy(timeout=FAST):
        raise KeyError


# A policy as a decorator


def test_decorator_applies_to_each_call():
    @policy(timeout=FAST)
    def function(value):
        return value, timeout()

    @policy(timeout=FAST)
    async def coroutine(value):
        await asyncio.sleep(0)
        return value, timeout()

    assert [function(1), function(2)] == [(1, FAST), (2, FAST)]
    assert asyncio.run(coroutine(3)) == (3, FAST)
    assert function.__name__ == "function"
    assert timeout() is None


def test_decorator_refuses_generators():
    def generator():
        yield

    async def asynchronous():
        yield

    for function in (generator, asynchronous, 42):
        with pytest.raises(PolicyError, match="inside a generator use `with"):
            policy(timeout=FAST)(function)


def test_block_can_be_entered_by_an_exit_stack_and_again():
    block = policy(timeout=FAST)
    with contextlib.ExitStack() as stack:
        assert stack.enter_context(block).timeout is FAST
        assert timeout() is FAST
    with block, block:
        assert timeout() is FAST
    assert timeout() is None


@pytest.fixture
def settings():
    made = Config()
    yield made
    made.set_console(None)
    made.set_environment(EnvironmentSettings())


def counted(settings):
    """Make one call."""
    for observer in settings.observers_of(make_call()):
        observer.notify(make_end())


def test_nothing_is_counted_or_shown_unless_asked_for(settings, capsys):
    counted(settings)
    assert not settings.listening
    assert settings.tally is None
    assert capsys.readouterr().err == ""


def test_summary_counts_without_showing(settings, capsys):
    settings.set_summary(True)
    counted(settings)
    settings.set_summary(None)
    counted(settings)
    assert settings.tally.summary().calls == 1
    assert capsys.readouterr().err == ""


def test_console_shows_and_counts(settings, capsys):
    for on in (True, True, None):
        settings.set_console(on)
        counted(settings)
    assert settings.tally.summary().calls == 2
    settings.set_summary(True)
    assert settings.tally.summary().calls == 0, "what was counted before is not in it"
    assert capsys.readouterr().err.count("openai chat gpt-4o") == 2


@pytest.mark.parametrize(("environment", "code", "on"), [(True, None, True), (True, False, False), (False, True, True)])
def test_code_comes_before_the_environment(settings, environment, code, on):
    settings.set_environment(EnvironmentSettings(console=environment))
    settings.set_console(code)
    assert settings.console is on
    assert settings.listening is on


VARIABLES = {"L0_TRUNCATION": "strict", "L0_RETRY_ATTEMPTS": "1"}
IGNORED = "the policy in code replaces that of the environment: "


@pytest.mark.parametrize(
    ("given", "policy", "ignored"),
    [
        (VARIABLES, Policy(), "L0_RETRY_ATTEMPTS, L0_TRUNCATION"),
        ({**VARIABLES, "L0_MODE": "off", "L0_DIRECT": "0"}, Policy(), "L0_RETRY_ATTEMPTS, L0_TRUNCATION"),
        ({"L0_MODE": "off"}, Policy(), None),
        ({"L0_MODE": "off"}, Policy(mode="shadow"), "L0_MODE"),
        ({"L0_MODE": "shadow"}, Policy(), "L0_MODE"),
        ({"L0_POLICY": "agent"}, Policy(), "L0_POLICY"),
        ({"L0_DIRECT": "0"}, Policy(), None),
        (VARIABLES, None, None),
    ],
)
@pytest.mark.parametrize("code_first", [True, False])
def test_variables_that_a_policy_in_code_replaces_are_logged_once(settings, caplog, given, policy, ignored, code_first):
    environment = read_environment(given)
    steps = [lambda: settings.set_default(policy), lambda: settings.set_environment(environment)]
    for step in steps if code_first else steps[::-1]:
        step()
    settings.set_environment(environment)  # as for the next SDK
    settings.set_default(policy)
    assert [record.getMessage() for record in caplog.records] == ([] if ignored is None else [IGNORED + ignored])


def test_console_keeps_the_applications_observers(settings):
    own = Watching(object())
    settings.set_console(True)
    settings.add_observers([own])
    assert len(settings.observers_of(make_call())) == 3
    settings.set_console(None)
    assert len(settings.observers_of(make_call())) == 1


def test_summary_that_nothing_counts_warns_at_the_callers_line(monkeypatch):
    monkeypatch.setattr(config, "CONFIG", Config())
    with pytest.warns(RuntimeWarning, match=r"l0.instrument\(summary=True\)") as caught:
        assert config.summary().calls == 0
    assert caught[0].filename == __file__
