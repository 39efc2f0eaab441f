"""Define `Guardrails`: all built-in rules, and the presets made of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import get_args

from l0.migration import GuardrailsAliases
from l0.model.option_names import refuses_unknown_options
from l0.model.policy import GuardrailsPreset, PolicyError, is_rule, preset_or_list
from l0.model.rule import Rule, Severity, Violation

from . import bundled_patterns, json_rules
from .custom_rule import FunctionRule, TextFunction
from .filler import StallRule
from .latex import LatexRule
from .length import LengthRule
from .markdown import MarkdownRule
from .patterns import SPAN, PatternFinding, PatternRule, compiled, pattern_rule
from .repeated_text import RepetitionRule
from .text_check import check_text
from .zero_output import ZeroOutputRule

Rules = tuple[Rule, ...]


@refuses_unknown_options
class Guardrails(GuardrailsAliases):
    """Rules for ``Policy(guardrails=...)``: one rule, a list of rules, or a preset (a tuple of rules).

    ``severity`` is a `Severity` or its name: ``"warning"`` is only recorded, ``"error"`` fails the attempt, ``"fatal"``
    ends the call. The cost of a built-in rule grows with the new text only. Raises `PolicyError` for invalid arguments.
    """

    @staticmethod
    def zero_output_rule(*, severity: Severity | str = Severity.ERROR) -> Rule:
        """Require visible text, or other output such as a tool call."""
        return ZeroOutputRule(severity=_severity(severity))

    @staticmethod
    def json_rule(*, severity: Severity | str = Severity.ERROR) -> Rule:
        """Require that all JSON in the answer is valid and complete. An answer without JSON passes."""
        return json_rules.json_rule(severity=_severity(severity))

    @staticmethod
    def strict_json_rule(
        *, allow: Collection[json_rules.Kind] = ("object", "array"), severity: Severity | str = Severity.ERROR
    ) -> Rule:
        """Require that the answer is one JSON value of an allowed kind and nothing else."""
        return json_rules.strict_json_rule(allow=allow, severity=_severity(severity))

    @staticmethod
    def markdown_rule(*, severity: Severity | str = Severity.WARNING) -> Rule:
        """Report open code fences with ``severity``; report broken tables, lists and endings as warnings."""
        return MarkdownRule(severity=_severity(severity))

    @staticmethod
    def latex_rule(*, severity: Severity | str = Severity.ERROR) -> Rule:
        """Require that LaTeX environments, delimiters and groups are balanced."""
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
        """Report patterns that occur in the answer.

        ``patterns``: compiled regular expressions, or strings. A string is literal text, not a regular expression, and
        matches in upper and lower case; L0 warns if it looks like a regular expression. Each message is reported once
        per answer, as an error unless ``severity`` says otherwise. A match that can only grow is reported as soon as it
        exists; one that more text can undo, such as one before the end of a word, when it is decided. ``span``: number
        of characters within which an unbounded expression, such as ``a.*b``, must match; ``None``: check all patterns
        on the complete answer at its end. Without patterns, the bundled ones are used: meta commentary, hedging,
        refusals, leaked instructions, placeholders and collapsed formats, in English, German and Spanish, each with its
        own severity.
        """
        if patterns is None:
            return _bundled_patterns() if severity is None else _bundled_patterns(severity=_severity(severity))
        level = _severity(Severity.ERROR if severity is None else severity)
        _check_text("pattern_rule.message", message)
        _check_text("pattern_rule.name", name)
        if span is not None and (not isinstance(span, int) or isinstance(span, bool) or span < 1):
            raise PolicyError("pattern_rule.span", span, "a whole number of characters, 1 or more, or None")
        findings = [PatternFinding(pattern=each, message=message, severity=level) for each in compiled(patterns)]
        return pattern_rule(findings, name=name, span=span)

    @staticmethod
    def repetition_rule(times: int = 4, *, severity: Severity | str = Severity.ERROR) -> Rule:
        """Report a passage that occurs more than ``times`` in a row, if the repeats have 30 words or more together."""
        return RepetitionRule(times=times, severity=_severity(severity))

    @staticmethod
    def stall_rule(limit: int = 600, *, severity: Severity | str = Severity.ERROR) -> Rule:
        """Report more than ``limit`` characters of filler: no letters and digits, or one short repeated unit."""
        return StallRule(limit=limit, severity=_severity(severity))

    @staticmethod
    def length_rule(
        minimum: int | None = None, maximum: int | None = None, *, severity: Severity | str = Severity.ERROR
    ) -> Rule:
        """Require at least ``minimum`` and at most ``maximum`` characters."""
        return LengthRule(minimum=minimum, maximum=maximum, severity=_severity(severity))

    @staticmethod
    def rule(
        function: TextFunction,
        *,
        name: str = "custom",
        severity: Severity | str = Severity.ERROR,
        span: int | None = None,
    ) -> Rule:
        """Make a rule from a function that returns the problem with a text, or nothing.

        ``function``: gets a text and returns a message or ``True`` if there is a problem, else ``None``, ``False`` or
        ``""``. Without a ``span`` it gets the complete answer at its end. With a ``span``, in characters, it gets parts
        of that length while the answer streams; neighbouring parts overlap by half a span, so any text of up to half a
        span is seen in one piece. Only the first problem is reported. A function that raises is skipped for the rest of
        the answer, which then passes, with a warning on logger ``l0``. ``name``: a short name, which becomes an
        attribute of spans and metrics.

        Spans, logs and errors show a message that is a literal in the function. Any other may quote the answer: it is
        only in ``Violation.message``, and on spans that capture content.
        """
        return FunctionRule(function=function, name=name, severity=_severity(severity), span=span)

    @classmethod
    def check(cls, text: str, rules: Rule | Sequence[Rule] | GuardrailsPreset = "recommended") -> tuple[Violation, ...]:
        """Check a complete text outside of a stream. Return the violations, in the order of the text.

        As in a stream, a pattern rule reports each of its messages once, at the first match.

        ``rules``: one rule, a list of rules, or the name of a preset; an `l0.Drift` is a rule as well. Raises
        `PolicyError` for anything else.
        """
        if not isinstance(text, str):
            raise PolicyError("check.text", text, "a text")
        if isinstance(rules, str) and rules in get_args(GuardrailsPreset):
            rules = cls.preset(rules)
        listed = rules if isinstance(rules, list | tuple) else [rules]
        if not all(map(is_rule, listed)):
            raise PolicyError("check.rules", rules, f"a rule, a list of rules, or {preset_or_list(listed)}")
        return check_text(text, listed)  # type: ignore[arg-type]  # rules, as checked

    @classmethod
    def none(cls) -> Rules:
        """Return no rules."""
        return ()

    @classmethod
    def minimal(cls) -> Rules:
        """Return rules for answers that are certainly broken: empty answers and broken JSON."""
        return (cls.zero_output_rule(), cls.json_rule())

    @classmethod
    def recommended(cls) -> Rules:
        """Return rules for any answer: broken answers fail, suspicious ones are only recorded."""
        return (
            *cls.minimal(),
            cls.markdown_rule(),
            cls.pattern_rule(),
            cls.repetition_rule(),
            cls.stall_rule(),
        )

    @classmethod
    def strict(cls) -> Rules:
        """Return `recommended` plus LaTeX. Open fences, refusals, leaks, placeholders and collapsed formats fail."""
        return (
            *cls.minimal(),
            cls.markdown_rule(severity=Severity.ERROR),
            cls.latex_rule(),
            _bundled_patterns(strict=True),
            cls.repetition_rule(),
            cls.stall_rule(),
        )

    @classmethod
    def json_only(cls) -> Rules:
        """Return rules that require JSON and nothing else."""
        return (cls.zero_output_rule(), cls.strict_json_rule())

    @classmethod
    def markdown_only(cls) -> Rules:
        """Return rules that require complete Markdown."""
        return (cls.zero_output_rule(), cls.markdown_rule(severity=Severity.ERROR))

    @classmethod
    def latex_only(cls) -> Rules:
        """Return rules that require complete LaTeX."""
        return (cls.zero_output_rule(), cls.latex_rule())

    @classmethod
    def preset(cls, name: GuardrailsPreset | str) -> Rules:
        """Return the rules of a preset by its name. Raises `PolicyError` for an unknown name."""
        allowed: tuple[str, ...] = get_args(GuardrailsPreset)
        if name not in allowed:
            raise PolicyError("guardrails", name, "one of " + ", ".join(allowed))
        rules: Rules = getattr(cls, name)()
        return rules


@cache
def _bundled_patterns(*, strict: bool = False, severity: Severity | None = None) -> PatternRule:
    """Return the rule of the bundled patterns. Cached, since compiling them takes a while."""
    findings = bundled_patterns.findings(strict=strict)
    return pattern_rule([replace(each, severity=severity or each.severity) for each in findings], name="pattern")


def _severity(value: Severity | str) -> Severity:
    try:
        return Severity(value)
    except ValueError:
        raise PolicyError("severity", value, "one of " + ", ".join(Severity)) from None


def _check_text(field: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise PolicyError(field, value, "a short text")
