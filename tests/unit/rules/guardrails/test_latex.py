"""The LaTeX rule: unbalanced environments, delimiters and groups are reported with their place."""

import pytest
from guardrails_kit import places, split, violations, violations_for_any_split
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.model.rule import Severity
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.guardrails.latex import LatexRule

RULE = LatexRule()
CLEAN = (
    "",
    "prose for $5 or $ 10",
    r"\(x\) and \[y\]",
    "$$x$$ and $$\ny\n$$",
    "\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}",
    r"\begin{a}\begin{b}\end{b}\end{a}",
    r"\begin{tabular}{ll} a & b \end{tabular}",
    r"\begin {x} \end {x}",
    r"\[\frac{a}{b}\]",
    r"\[\{a\}\]",
    r"\[\left( \frac{a}{b} \right)\]",
    r"\[\left. x \right|\] \(\leftarrow\) \(\rightarrow\)",
    r"\[a \text{ if \(b\)}\]",
    r"\[x \\[2pt] y\]",
    r"costs \$5, 50\% of \{it\}",
    "prose { with a brace",
    "`\\begin{x}` and ``\\[``",
    "```\n\\begin{x}\n```",
    "```python\nre.compile('\\(')\n```\n",
    "```latex\n\\begin{x}\n\\end{x}\n```",
    "\\begin{verbatim}\n\\[ \\begin{x} }\n\\end{verbatim}",
    "\\begin{equation}\n$$ x $$\n\\end{equation}",
    r"C:\path\to\file",
)
BROKEN = (
    (r"\begin{align} x", "an environment is never closed", 0),
    ("a\n\\begin{x}\n\\begin{y}\n\\end{y}\n", "an environment is never closed", 2),
    (r"x \end{align}", "an environment is closed but was never opened", 2),
    (r"\begin{a}\end{b}", "an environment is not closed before the end of another", 9),
    (r"\begin{a}\begin{b}\end{a}", "an environment is not closed before the end of another", 18),
    (r"\[ x", r"\[ is never closed", 0),
    (r"so \( x", r"\( is never closed", 3),
    ("$$ x", "$$ is never closed", 0),
    ("$$a$$ $$b", "$$ is never closed", 6),
    (r"x \]", r"\] closes nothing", 2),
    (r"x \)", r"\) closes nothing", 2),
    (r"\[ x \)", r"\[ is not closed before \)", 5),
    (r"\( x \]", r"\( is not closed before \]", 5),
    (r"\[ x \[ y \]", r"\[ is never closed", 0),
    ("\\( x\n\ny \\)", r"\( is never closed", 0),
    (r"\[\frac{a}{b\]", r"a brace in \[ is not closed", 0),
    (r"\[\frac{a}b}\]", r"a brace in \[ closes nothing", 11),
    (r"\(\left( x \)", r"\left and \right in \( do not pair", 0),
    (r"\[ x \right)\]", r"\left and \right in \[ do not pair", 0),
    (r"\begin{a} {x \end{a}", "a brace in an environment is not closed", 0),
    (r"\begin{a} \[ x \end{a}", r"\[ is not closed before the end of another", 15),
    ("```latex\n\\begin{x}\n```", "an environment is never closed", 9),
    ("\\begin{verbatim}\n\\end{x}", "an environment is never closed", 0),
)


@pytest.mark.parametrize("text", CLEAN)
def test_latex_rule_accepts_clean_text(text: str) -> None:
    assert not violations_for_any_split(RULE, text)


@pytest.mark.parametrize(("text", "message", "at"), BROKEN)
@pytest.mark.parametrize("lead", ["", "Ein Satz: \\(a\\), `\\[`.\n\n```\n\\]\n```\n"])
def test_latex_rule_reports_broken_text(lead: str, text: str, message: str, at: int) -> None:
    assert [(found.message, found.at) for found in violations_for_any_split(RULE, lead + text)] == [
        (message, len(lead) + at)
    ]


def test_latex_rule_reports_the_first_violation_at_its_line_end() -> None:
    check = RULE.check()
    assert not check.feed(r"x \]")
    assert len(check.feed("\n")) == 1
    assert not check.feed("\\]\n\\end{a}\n")


def test_latex_rule_severity() -> None:
    assert violations(Guardrails.latex_rule(severity="warning"), r"\[")[0].severity is Severity.WARNING


def test_latex_messages_do_not_quote_the_answer() -> None:
    assert "secret" not in violations(RULE, r"\begin{secret} x")[0].message


def test_latex_rule_is_linear_for_ticks_and_backslashes() -> None:
    assert not violations(RULE, "`" * 100_000 + "\\a" + "\n" + "\\" * 100_000 + "\n" + "`x" * 50_000 + "\\a\n")


tokens = st.lists(
    st.sampled_from(
        [
            "\\[",
            "\\]",
            "\\(",
            "\\)",
            "$$",
            "{",
            "}",
            "\\begin{a}",
            "\\end{a}",
            "\\left(",
            "\\right)",
            "x",
            "\n",
            "\n\n",
            "`",
            "```\n",
        ]
    ),
    max_size=14,
)


@settings(max_examples=300)
@given(tokens, places)
def test_latex_rule_ignores_chunk_boundaries(parts: list[str], where: list[int]) -> None:
    text = "".join(parts)
    assert violations(RULE, *split(text, where)) == violations(RULE, text)
