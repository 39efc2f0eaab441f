"""The options of a call are checked, and apply even if the policy is in shadow mode."""

from typing import Any

import pytest
from pydantic import BaseModel
from streams_kit import QUICK, Source

from l0 import Event, EventType, Policy, PolicyError, Retry, l0, policy
from l0.types import ResponseMetadata

pytestmark = pytest.mark.anyio

SHADOW = Policy(mode="shadow", retry=Retry(attempts=0, max_retries=0))
BAD = ConnectionError("reset")


NOT_ALLOWED = [("policy", value) for value in (0, False, "", 5)] + [("fallbacks", value) for value in (0, False, 5)]
NOT_ALLOWED += [("adapter", value) for value in (0, 5, "lines", object())]
NOT_ALLOWED += [("context", value) for value in (0, 5, "a", ["a"], {1: "a"})]


@pytest.mark.parametrize(("name", "value"), NOT_ALLOWED)
async def test_what_is_not_allowed_is_refused_though_it_is_empty(name: str, value: Any) -> None:
    with pytest.raises(PolicyError, match=name):
        await l0(stream=Source(["a"]).aplain, **{name: value})
    with pytest.raises(PolicyError, match=name):
        await l0.structured({}, Source(["a"]).aplain, **{name: value})


async def test_a_policy_in_shadow_mode_changes_nothing() -> None:
    source = Source([BAD], ["ok"])
    assert await (await l0(stream=source.aplain, policy=SHADOW)).read() == "ok"  # as without any policy
    assert source.made == 2


@pytest.mark.parametrize(
    ("scripts", "options", "made"),
    [
        (([BAD], [BAD], ["ok"]), {"retry": QUICK}, 3),
        ((["o", BAD], ["ok"]), {"retry": QUICK, "resume": "exact"}, 2),
    ],
    ids=["retry", "resume"],
)
async def test_call_options_hold_in_shadow_mode(
    scripts: tuple[list[Any], ...], options: dict[str, Any], made: int
) -> None:
    source = Source(*scripts)
    assert await (await l0(stream=source.aplain, policy=SHADOW, **options)).read() == "ok"
    assert source.made == made


async def test_policy_of_the_call_cannot_turn_l0_off() -> None:
    with pytest.raises(PolicyError, match=r"policy\.mode: got 'off', allowed: active or shadow"):
        await l0(stream=Source(["a"]).aplain, policy=Policy(mode="off"))


async def test_off_elsewhere_does_not_change_the_explicit_api() -> None:
    source = Source([BAD], ["ok"])
    with policy(mode="off", retry=QUICK):
        assert await (await l0(stream=source.aplain)).read() == "ok"
    assert source.made == 2


async def test_in_shadow_mode_fallbacks_are_asked() -> None:
    other = Source(["ok"])
    answer = await l0(stream=Source([BAD]).aplain, fallbacks=[other.aplain], retry=QUICK, policy=SHADOW)
    assert (await answer.read(), other.made) == ("ok", 1)


class Port(BaseModel):
    city: str


async def test_in_shadow_mode_a_structured_answer_fits() -> None:
    source = Source(["no"], ['{"city": "Bergen"}'])
    answer = await l0.structured(Port, source.aplain, retry=QUICK, policy=SHADOW)
    assert (answer.value, source.made) == (Port(city="Bergen"), 2)


class Upper:
    """An adapter for items that L0 knows, which reads them in its own way."""

    name = "upper"
    has_pending = False

    def recognizes(self, item: object) -> bool:
        return False

    def decoder(self) -> "Upper":
        return self

    def decode(self, item: Any) -> list[Event]:
        return [Event(EventType.TOKEN, str(item).upper())]

    def is_complete(self) -> None:
        return None

    def metadata(self) -> ResponseMetadata:
        return ResponseMetadata(model="upper-1")


@pytest.mark.parametrize("items", [["a", "b"], [{"n": 1}]], ids=["text", "unknown items"])
async def test_the_adapter_of_a_call_reads_its_items(items: list[Any]) -> None:
    stream = await l0(Source(items).aplain, adapter=Upper())
    assert await stream.read() == "".join(map(str, items)).upper()
    assert stream.state.metadata.model == "upper-1"
    other = await l0(Source(["a"]).aplain)
    assert await other.read() == "a"
