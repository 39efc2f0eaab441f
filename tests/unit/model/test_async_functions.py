"""Functions whose calls must be awaited are recognized wherever L0 would not await them."""

import asyncio
from functools import partial
from typing import Any

import pytest

import l0
from l0.config import CONFIG
from l0.model.async_functions import is_async
from l0.model.function_observer import is_event_function
from l0.model.policy import PolicyError


async def later(*_: Any) -> None: ...


class Later:
    async def __call__(self, *_: Any) -> Any:
        return CONFIG.policy().mode


class Now:
    def __call__(self, *_: Any) -> None: ...


@pytest.mark.parametrize("function", [later, partial(later, 1), Later()])
def test_async_function_or_object_is_recognized(function: Any) -> None:
    assert is_async(function)
    assert not is_event_function(function)
    with pytest.raises(PolicyError, match="on_resume"):
        l0.Policy(on_resume=function)


@pytest.mark.parametrize("function", [print, Now(), Now, Later, partial(print, 1), 5])
def test_other_values_are_not_async(function: Any) -> None:
    assert not is_async(function)


def test_policy_applies_to_an_async_object() -> None:
    call = l0.policy(mode="shadow")(Later())
    assert asyncio.run(call()) == "shadow"
