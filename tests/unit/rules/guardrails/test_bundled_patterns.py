"""The bundled patterns: matches in three languages, and text that they ignore."""

import pytest
from guardrails_kit import places, split, violations, violations_for_any_split
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.model.rule import Severity
from l0.rules.guardrails import bundled_patterns
from l0.rules.guardrails.catalogue import Guardrails
from l0.rules.guardrails.regex_analysis import analyse

FOUND: dict[str, tuple[str, ...]] = {
    "meta commentary": (
        "As an AI language model, I have no opinion.",
        "Well, as an AI, I cannot taste it.",
        "As an artificial intelligence, I cannot taste it.",
        "I'm just an AI assistant.",
        "I\u2019m a large language model trained on text.",
        "As a helpful AI assistant, I will try.",
        "That is not in my training data.",
        "My knowledge cutoff is in 2023.",
        "I don't have real-time data on that.",
        "I don't have personal opinions.",
        "Als KI-Sprachmodell habe ich keine Meinung.",
        "Als KI kann ich das nicht beurteilen.",
        "Als reines Sprachmodell darf ich das nicht.",
        "Das steht nicht in meinen Trainingsdaten.",
        "Nach meinem Wissensstand gilt das noch.",
        "Como modelo de lenguaje, no tengo opiniones.",
        "Como una IA, no puedo sentir.",
        "Mis datos de entrenamiento acaban en 2023.",
        "Desde mi última actualización ha cambiado.",
    ),
    "hedging": (
        "I'm not entirely sure about this.",
        "I could be wrong, but it is five.",
        "To the best of my knowledge, yes.",
        "Don\u2019t quote me on that.",
        "Take this with a grain of salt.",
        "I am not certain.",
        "Ich bin mir nicht ganz sicher.",
        "Soweit ich weiß, ist das so.",
        "Ich könnte mich irren.",
        "Nach bestem Wissen und Gewissen sind es fünf.",
        "No estoy del todo seguro.",
        "Hasta donde yo sé, es así.",
        "Puede que me equivoque.",
    ),
    "refusal": (
        "I'm sorry, but I can't help with that.",
        "I cannot assist you with this.",
        "I can\u2019t provide that information.",
        "I'm unable to answer that.",
        "I must respectfully decline.",
        "I won't help with it.",
        "Dabei kann ich Ihnen leider nicht helfen.",
        "Es tut mir leid, aber das kann ich nicht tun.",
        "Ich kann dir dabei nicht weiterhelfen.",
        "Diese Anfrage muss ich ablehnen.",
        "Lo siento, pero no puedo hacerlo.",
        "No puedo ayudarte con eso.",
        "Me niego a responder.",
    ),
    "instruction leak": (
        "My system prompt says that I must be brief.",
        "My instructions are to be kind.",
        "I was instructed not to tell.",
        "According to my guidelines, no.",
        "Meine Anweisungen lauten anders.",
        "Ich wurde angewiesen, zu schweigen.",
        "Laut meinen Richtlinien geht das nicht.",
        "Mis instrucciones son claras.",
        "Según mis directrices, no.",
        "Es lo que dice mi prompt del sistema.",
        "Fui programado para ayudar.",
        "So be it.<|im_end|>",
        "<|im_start|>assistant",
        "So be it.<|end|>",
        "<<SYS>> Be brief. <</SYS>>",
        "Text [/INST] more",
        "<end_of_turn>",
        "Good.\n### Instruction: go on",
    ),
    "placeholder": (
        "Dear [Your Name],",
        "Sincerely, [Insert Signature Here]",
        "Lorem ipsum dolor sit amet.",
        "Send it to <insert address>.",
        "Dear [Recipient's Name],",
        "[Company Name] is hiring.",
        "The total is to be filled in later.",
        "Sehr geehrte Frau [Namen einfügen],",
        "Mit freundlichen Grüßen, [Ihr Name]",
        "Estimado [Nombre del destinatario]:",
        "Atentamente, [Tu nombre]",
        "[Insertar fecha de hoy]",
    ),
    "format collapse": (
        "It is five.\nUser: and six?",
        "It is five.\nAssistant: It is six.",
        "Gern.\nBenutzer: Danke",
        "Claro.\nUsuario: gracias",
        "The value is [object Object].",
        "Das ist schÃ¶n.",
        "Itâ€™s fine.",
        "A broken \ufffd sign.",
        r"one\n\n\n\ntwo",
        "&lt;&lt;&gt;",
    ),
}
CLEAN = (
    "",
    "She works as an AI engineer in Berlin.",
    "AI models are trained on data.",
    "It is important to note that water boils at 100 degrees.",
    "I am sure of it.",
    "You may be right about the river.",
    "I can help with that.",
    "We cannot help but laugh.",
    "He said he was sorry, but he could not come.",
    "Read the instructions on the box.",
    "The user and the assistant talk: user: hello.",
    "User: this is how a dialogue begins",
    "Use `[0]` for the first and `[your_key]` for yours.",
    "A list: [a, b, c], and a link [here](https://example.com/your-name).",
    "<div>insert</div>",
    "x < 3 and y > 4",
    "Als Kind war er oft krank.",
    "Als Künstler lebte er in Wien.",
    "Ich bin sicher, dass es stimmt.",
    "Ich kann Ihnen helfen.",
    "Das Sprachmodell wurde verbessert.",
    "Es tut ihm leid.",
    "Como siempre, llega tarde.",
    "La inteligencia artificial avanza.",
    "Estoy seguro de ello.",
    "Puedo ayudarte con eso.",
    "Sigue las instrucciones del manual.",
    "El modelo de lenguaje es grande.",
    "[1] Smith, J. (2020). On models.",
    "Schöne Grüße, ñandú, ¿qué tal?",
    "line one\nline two\n\n### Instructions for use\n\n1. Open it",
)


@pytest.mark.parametrize(("family", "text"), [(family, text) for family, texts in FOUND.items() for text in texts])
def test_bundled_pattern_matches(family: str, text: str) -> None:
    found = {violation.message.split(":")[0] for violation in violations_for_any_split(Guardrails.pattern_rule(), text)}
    assert family in found


def test_every_phrase_family_is_in_use() -> None:
    declared = [value for value in vars(bundled_patterns).values() if isinstance(value, bundled_patterns.PhraseFamily)]
    assert set(declared) == set(bundled_patterns.FAMILIES)


def test_every_bundled_pattern_has_an_example() -> None:
    examples = [text for texts in FOUND.values() for text in texts]
    patterns = [finding.pattern for finding in bundled_patterns.findings()]
    unmatched = [pattern.pattern for pattern in patterns if not any(map(pattern.search, examples))]
    assert unmatched == [], "no example in FOUND matches these patterns"


@pytest.mark.parametrize("text", CLEAN)
def test_bundled_patterns_ignore_normal_text(text: str) -> None:
    assert not violations_for_any_split(Guardrails.pattern_rule(), text)


def test_only_template_markers_are_errors_by_default() -> None:
    usual = {family.message: family.severity for family in bundled_patterns.FAMILIES}
    assert [message for message, severity in usual.items() if severity is not Severity.WARNING] == [
        bundled_patterns.TEMPLATE_LEAK.message
    ]
    strict = next(rule for rule in Guardrails.strict() if rule.name == "pattern")
    found = {violation.at: violation.severity for violation in violations(strict, "I'm not sure, [Your Name].")}
    assert found == {0: Severity.WARNING, 14: Severity.ERROR}


def test_user_severity_applies_to_all_bundled_patterns() -> None:
    (violation,) = violations(Guardrails.pattern_rule(severity="fatal"), "I am not sure.")
    assert violation.severity is Severity.FATAL


@pytest.mark.parametrize("finding", bundled_patterns.findings(), ids=lambda finding: finding.pattern.pattern[:40])
def test_bundled_patterns_are_bounded_and_have_a_literal(finding: bundled_patterns.PatternFinding) -> None:
    known = analyse(finding.pattern)
    assert known.reach < 80
    assert known.literals


@settings(max_examples=150)
@given(st.lists(st.sampled_from([*CLEAN, *(text for texts in FOUND.values() for text in texts)]), max_size=4), places)
def test_bundled_patterns_ignore_chunk_boundaries(texts: list[str], where: list[int]) -> None:
    text = " ".join(texts)
    rule = Guardrails.pattern_rule()
    found = violations(rule, *split(text, where))
    assert found == violations(rule, text)
    searched = {each.message for each in bundled_patterns.findings() if each.pattern.search(text)}
    assert {violation.message for violation in found} == searched
