"""`Guardrails`: every rule that l0 brings, and the presets made of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cache
from typing import get_args

from l0.values.policy import GuardrailsPreset, PolicyError
from l0.values.rules import Rule, Severity

from . import json_rules, phrases
from .emptiness import ZeroOutputRule
from .functions import FunctionRule, Judge
from .latex import LatexRule
from .length import LengthRule
from .markdown import MarkdownRule
from .patterns import SPAN, Finding, PatternRule, compiled, pattern_rule
from .repetition import RepetitionRule
from .stall import StallRule

Rules = tuple[Rule, ...]


class Guardrails:
    """Rules for ``Policy(guardrails=...)``: one, a list, or a preset, which is a tuple of rules.

    ``severity`` is a `Severity` or its name: ``"warning"`` is recorded, ``"error"`` fails the attempt, ``"fatal"`` ends
    the call. Every rule costs O(new text). Raises `PolicyError` for arguments that cannot be obeyed.
    """

    @staticmethod
    def zero_output_rule(*, severity: Severity | str = Severity.ERROR) -> Rule:
        """The answer holds something: text that can be seen, or a tool call or the like."""
        return ZeroOutputRule(severity=_severity(severity))

    @staticmethod
    def json_rule(*, severity: Severity | str = Severity.ERROR) -> Rule:
        """JSON that the answer holds is right and whole; an answer without JSON passes."""
        return json_rules.json_rule(severity=_severity(severity))

    @staticmethod
    def strict_json_rule(
        *, allow: Collection[json_rules.Kind] = ("object", "array"), severity: Severity | str = Severity.ERROR
    ) -> Rule:
        """The answer is one JSON value of an allowed kind, and nothing else."""
        return json_rules.strict_json_rule(allow=allow, severity=_severity(severity))

    @staticmethod
    def markdown_rule(*, severity: Severity | str = Severity.WARNING) -> Rule:
        """Fences are closed (else ``severity``); tables, lists and the end are whole (else a warning)."""
        return MarkdownRule(severity=_severity(severity))

    @staticmethod
    def latex_rule(*, severity: Severity | str = Severity.ERROR) -> Rule:
        """Environments, delimiters and groups of LaTeX pair."""
        return LatexRule(severity=_severity(severity))

    @staticmethod
    def pattern_rule(
        patterns: re.Pattern[str] | str | Iterable[re.Pattern[str] | str] | None = None,
        message: str = "a forbidden pattern",
        *,
        severity: Severity | str | None = None,
        name: str = "pattern",
        span: int | None = SPAN,
    ) -> Rule:
        """None of these occurs: compiled regular expressions, or strings, found in any case of letters.

        Told once, an error where ``severity`` does not say otherwise. ``span``: characters within which an
        expression without a bound, such as ``a.*b``, must match; ``None``: all are judged on the whole answer when it
        is over. Without patterns: l0's own, for meta commentary, hedging, refusals, leaked instructions, placeholders
        and collapsed formats, in English, German and Spanish, each with a severity of its own.
        """
        if patterns is None:
            return _own_patterns() if severity is None else _own_patterns(severity=_severity(severity))
        level = _severity(Severity.ERROR if severity is None else severity)
        _check_text("pattern_rule.message", message)
        _check_text("pattern_rule.name", name)
        if span is not None and (not isinstance(span, int) or isinstance(span, bool) or span < 1):
            raise PolicyError("pattern_rule.span", span, "a whole number of characters, 1 or more, or None")
        findings = [Finding(pattern=each, message=message, severity=level) for each in compiled(patterns)]
        return pattern_rule(findings, name=name, span=span)

    @staticmethod
    def repetition_rule(times: int = 4, *, severity: Severity | str = Severity.ERROR) -> Rule:
        """No passage stands more than ``times`` in a row, once that makes 30 words."""
        return RepetitionRule(times=times, severity=_severity(severity))

    @staticmethod
    def stall_rule(limit: int = 600, *, severity: Severity | str = Severity.ERROR) -> Rule:
        """The text never goes on for more than ``limit`` characters without saying anything."""
        return StallRule(limit=limit, severity=_severity(severity))

    @staticmethod
    def length_rule(
        minimum: int | None = None, maximum: int | None = None, *, severity: Severity | str = Severity.ERROR
    ) -> Rule:
        """At least ``minimum`` characters, and at most ``maximum``."""
        return LengthRule(minimum=minimum, maximum=maximum, severity=_severity(severity))

    @staticmethod
    def rule(
        function: Judge, *, name: str = "custom", severity: Severity | str = Severity.ERROR, span: int | None = None
    ) -> Rule:
        """A rule of your own: the function says what is wrong with a text, or nothing. See `FunctionRule`."""
        return FunctionRule(function=function, name=name, severity=_severity(severity), span=span)

    @classmethod
    def none(cls) -> Rules:
        """No rules."""
        return ()

    @classmethod
    def minimal(cls) -> Rules:
        """What is broken without doubt: an empty answer, JSON that is none."""
        return (cls.zero_output_rule(), cls.json_rule())

    @classmethod
    def recommended(cls) -> Rules:
        """For any answer: what is broken fails, what is only odd is recorded."""
        return (
            *cls.minimal(),
            cls.markdown_rule(),
            cls.pattern_rule(),
            cls.repetition_rule(),
            cls.stall_rule(),
        )

    @classmethod
    def strict(cls) -> Rules:
        """As `recommended`, and LaTeX; open fences, refusals, leaks and placeholders fail as well."""
        return (
            *cls.minimal(),
            cls.markdown_rule(severity=Severity.ERROR),
            cls.latex_rule(),
            _own_patterns(strict=True),
            cls.repetition_rule(),
            cls.stall_rule(),
        )

    @classmethod
    def json_only(cls) -> Rules:
        """The answer is JSON."""
        return (cls.zero_output_rule(), cls.strict_json_rule())

    @classmethod
    def markdown_only(cls) -> Rules:
        """The answer is whole Markdown."""
        return (cls.zero_output_rule(), cls.markdown_rule(severity=Severity.ERROR))

    @classmethod
    def latex_only(cls) -> Rules:
        """The answer is whole LaTeX."""
        return (cls.zero_output_rule(), cls.latex_rule())

    @classmethod
    def preset(cls, name: GuardrailsPreset | str) -> Rules:
        """The rules of a preset, by its name."""
        allowed: tuple[str, ...] = get_args(GuardrailsPreset)
        if name not in allowed:
            raise PolicyError("guardrails", name, "one of " + ", ".join(allowed))
        rules: Rules = getattr(cls, name)()
        return rules


@cache
def _own_patterns(*, strict: bool = False, severity: Severity | None = None) -> PatternRule:
    """Made once a process, and not before it is asked for: to compile them takes a while."""
    own = phrases.findings(strict=strict)
    return pattern_rule([replace(each, severity=severity or each.severity) for each in own], name="pattern")


def _severity(value: Severity | str) -> Severity:
    try:
        return Severity(value)
    except ValueError:
        raise PolicyError("severity", value, "one of " + ", ".join(Severity)) from None


def _check_text(field: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise PolicyError(field, value, "a short text")
