"""Check an answer against the schemas in its request: JSON for the text, and tool calls whose arguments fit."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from l0.model.call import Call
from l0.model.policy import PolicyError
from l0.model.rule import Ending, Rule, Severity, Violation

if TYPE_CHECKING:
    from l0.rules.structured.schemas import Schema

_log = logging.getLogger("l0")
TOOLS = "tool_schema"
"""The name of the rule on tool calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedSchemas:
    """The schemas of a request. ``rules``: rules on the text. ``tools``: schemas of the arguments, by tool name."""

    rules: tuple[Rule, ...] = ()
    tools: Mapping[str, Schema] = field(default_factory=dict)

    def violations_in(self, calls: Iterable[tuple[str, str]], ending: Ending) -> Sequence[Violation]:
        """Return the violations in the arguments of tool calls. The arguments are never repaired."""
        found: list[Violation] = []
        for name, arguments in calls:
            why = self._flaw(name, arguments)
            if why is not None:
                found.append(_violation(name, arguments, why, ending))
        return found

    def _flaw(self, name: str, arguments: str) -> str | None:
        from l0.rules.structured.schema_results import Invalid

        schema = self.tools.get(name)
        if schema is None:
            return None
        try:
            verdict = schema.verdict(
                arguments or "{}", allow_repair=False
            )  # the model may send no arguments to a tool without parameters
        except PolicyError:  # the schema refers to other schemas, which only the provider has
            return None
        if not isinstance(verdict, Invalid):
            return None
        return f"{'do not fit' if verdict.checked else 'could not be checked'}: {verdict.problem or verdict.reason}"


def _violation(name: str, arguments: str, why: str, ending: Ending) -> Violation:
    from l0.rules.structured.cut_answers import cut_flaw, severity_of_cut

    cut, severity = cut_flaw(arguments, ending), Severity.ERROR
    if cut is not None:
        why, severity = cut, severity_of_cut(severity, ending)
    return Violation(rule=TOOLS, message=f"the arguments for {name} {why}", severity=severity, at=0)


NOTHING = RequestedSchemas()


def requested_schemas(call: Call) -> RequestedSchemas:
    """Return the schemas that the policy's ``structured`` requires for this call. Schemas that only the provider can
    interpret are not checked."""
    if not call.policy.structured:
        return NOTHING
    from l0.dialects.response_schema import from_response_format
    from l0.rules.structured.schema_rule import schema_rule
    from l0.rules.structured.schemas import Schema

    requested = from_response_format(call.body, call.dialect)
    try:
        rules = () if requested.text_schema is None else (schema_rule(requested.text_schema),)
        return RequestedSchemas(
            rules=rules, tools={name: Schema.of(dict(schema)) for name, schema in requested.tool_schemas.items()}
        )
    except (PolicyError, ImportError) as error:
        # `given` may be long, and is content of the request.
        problem = f"{error.field}: allowed: {error.allowed}" if isinstance(error, PolicyError) else error
        _log.warning("the schemas of a request cannot be used, so its answer is not checked: %s", problem)
        return NOTHING
