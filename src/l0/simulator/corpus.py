"""Load the bundled answers, which are defined in `answers.json`. Every dialect builds its bodies from them."""

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

from .answers import Answer, SimulatedToolCall
from .simulator_config import SimulatorError

DEFAULT = "greeting"
MULTILINGUAL = "languages"


@lru_cache(maxsize=1)
def answers() -> dict[str, Answer]:
    """Return all bundled answers by name."""
    text = (files("l0.simulator") / "answers.json").read_text(encoding="utf-8")
    return {name: _answer(fields) for name, fields in json.loads(text).items()}


def bundled_answer(name: str) -> Answer:
    """Return the answer of that name. Raises `SimulatorError` for an unknown name, with a list of all names."""
    found = answers().get(name)
    if found is None:
        raise SimulatorError(f"answer: {name!r} is unknown; allowed are {', '.join(sorted(answers()))}")
    return found


def _answer(fields: dict[str, Any]) -> Answer:
    calls = tuple(
        SimulatedToolCall(name=call["name"], arguments=json.dumps(call["arguments"], ensure_ascii=False))
        for call in fields.pop("tool_calls", [])
    )
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return Answer(**plain, tool_calls=calls)
