"""Define the bundled patterns, in English, German and Spanish.

Every expression has a bounded length, so it cannot backtrack far, and contains a literal, so the prefilter applies. A
phrase that a good answer may contain is a warning; only a phrase that no answer should show is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from l0.model.rule import Severity

from ..families import Family
from ..shared_phrases import ASSISTANT_ROLES, NO_OPINIONS, SELF_REFERENCE, USER_ROLES
from .patterns import PatternFinding

_APOSTROPHE = "['\N{RIGHT SINGLE QUOTATION MARK}]"
"""The typewriter and the typographic apostrophe."""
_WARNING, _ERROR = Severity.WARNING, Severity.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseFamily:
    """A group of patterns with one meaning. ``strict``: their severity in the strict preset."""

    family: Family
    message: str
    severity: Severity
    strict: Severity
    patterns: tuple[str, ...]


META_COMMENTARY = PhraseFamily(
    family=Family.META_COMMENTARY,
    message="meta commentary: the answer describes its author as an AI model",
    severity=_WARNING,
    strict=_WARNING,
    patterns=(
        *SELF_REFERENCE.values(),
        NO_OPINIONS,
        r"\b(?:as|being|i'm|i am) (?:just |only |merely )?an? ai(?:,| and| assistant|(?: language)? model)(?!\w)",
        r"\bas an? [a-z-]{1,20} ai (?:assistant|model)\b",
        r"\bmy (?:knowledge cut-?off|last (?:training )?update)\b",
        r"\bi (?:do not|don't) have (?:personal (?:feelings|experiences)|real-time (?:access|data))\b",
        r"\bals (?:reine |reines |große |großes )?ki(?:,| (?:kann|habe|bin) ich|-(?:sprach)?modell|-assistent)(?!\w)",
        r"\bals (?:reine |reines |große |großes )?(?:künstliche intelligenz|sprachmodell) (?:kann|habe|bin|darf) ich\b",
        r"\bcomo (?:una? )?(?:ia|inteligencia artificial|modelo de (?:lenguaje|ia)|asistente de ia),",
        r"\bmi (?:última actualización|fecha de corte)\b",
    ),
)
HEDGING = PhraseFamily(
    family=Family.HEDGING,
    message="hedging: the answer expresses doubt in itself",
    severity=_WARNING,
    strict=_WARNING,
    patterns=(
        r"\bi (?:could|might|may) (?:well )?be (?:wrong|mistaken)\b",
        r"\bi(?:'m| am) not (?:entirely |completely |totally |quite |really |100% )?(?:sure|certain)\b",
        r"\bto the best of my knowledge\b",
        r"\bdon't quote me on\b",
        r"\btake this with a grain of salt\b",
        r"\bich bin (?:mir )?(?:da(?:bei)? )?nicht (?:ganz |völlig |hundertprozentig )?sicher\b",
        r"\bich (?:könnte|kann) mich (?:auch |natürlich )?(?:irren|täuschen)\b",
        r"\bnach bestem wissen und gewissen\b",
        r"\bsoweit (?:ich weiß|mir bekannt ist)\b",
        r"\bno estoy (?:del todo |completamente |totalmente |muy )?segur[oa]\b",
        r"\b(?:podría|puedo|puede que) (?:estar equivocad[oa]|equivocarme|me equivoque)\b",
        r"\bhasta donde (?:yo )?sé\b",
    ),
)
REFUSAL = PhraseFamily(
    family=Family.REFUSAL,
    message="refusal: the answer declines the request",
    severity=_WARNING,
    strict=_ERROR,
    patterns=(
        r"\bi (?:cannot|can't|can not|won't|am unable to|am not able to) (?:help|assist)(?: you)? with\b",
        r"\bi (?:cannot|can't|won't) (?:fulfil?l|comply with|provide|generate) (?:that|this|such|your)\b",
        r"\bi(?:'m| am) (?:sorry|afraid),? but i (?:cannot|can't|can not|won't|am unable|am not able)\b",
        r"\bi(?:'m| am) (?:unable|not able) to (?:help|assist|comply|fulfil?l|answer|provide)\b",
        r"\bi must (?:respectfully )?(?:decline|refuse)\b",
        r"\b(?:dabei|damit|hierbei) kann ich (?:ihnen |dir |euch )?(?:leider )?nicht (?:weiter)?helfen\b",
        r"\bich kann (?:ihnen|dir|euch) (?:dabei |damit |hierbei )?(?:leider )?nicht (?:dabei )?(?:weiter)?helfen\b",
        r"\btut mir leid, aber (?:ich kann|ich darf|das kann ich|dabei kann ich)\b",
        r"\bdiese anfrage (?:kann|darf|muss) ich (?:leider )?(?:nicht|ablehnen)\b",
        r"\blo siento, pero no (?:puedo|me es posible)\b",
        r"\bno puedo (?:ayudarte|ayudarle|ayudar|asistirte|cumplir|proporcionar(?:te|le)?) (?:con|a|eso|esa|ese|tal)\b",
        r"\b(?:debo rechazar|tengo que rechazar|me niego a)\b",
    ),
)
INSTRUCTION_LEAK = PhraseFamily(
    family=Family.INSTRUCTION_LEAK,
    message="instruction leak: the answer reveals the model's instructions",
    severity=_WARNING,
    strict=_ERROR,
    patterns=(
        r"\bmy (?:system prompt|system message|instructions) (?:is|are|says?|tells? me|states?)\b",
        r"\bi (?:was|have been|am) (?:instructed|programmed|told) (?:by my (?:developers|creators) )?(?:not )?to\b",
        r"\baccording to my (?:instructions|guidelines|system prompt)\b",
        r"\bmein(?:e)? (?:systemprompt|system-prompt|systemnachricht|anweisungen) (?:lautet|lauten|sagt|sagen)\b",
        r"\bich wurde (?:angewiesen|instruiert|programmiert)\b",
        r"\b(?:laut|gemäß) mein(?:en|em) (?:anweisungen|richtlinien|systemprompt)\b",
        r"\bmis instrucciones (?:son|dicen|indican)\b",
        r"\bmi (?:prompt|mensaje) (?:del|de) sistema\b",
        r"\b(?:fui|he sido) (?:programad[oa]|instruid[oa]) para\b",
        r"\bsegún mis (?:instrucciones|directrices)\b",
    ),
)
TEMPLATE_LEAK = PhraseFamily(
    family=Family.TEMPLATE_LEAK,
    message="instruction leak: markers of the chat template",
    severity=_ERROR,
    strict=_ERROR,
    patterns=(
        r"<\|(?:im_start|im_end|im_sep|endoftext|endofprompt|eot_id|eom_id|start_header_id|end_header_id|begin_of_text)\|>",
        r"<\|(?:system|user|assistant|end)\|>",
        r"<<sys>>|<</sys>>",
        r"\[/inst\]",
        r"<(?:start|end)_of_turn>",
        r"^### ?(?:instruction|anweisung|instrucción):",
    ),
)
PLACEHOLDERS = PhraseFamily(
    family=Family.PLACEHOLDER,
    message="placeholder: text that should have been filled in",
    severity=_WARNING,
    strict=_ERROR,
    patterns=(
        r"\blorem ipsum\b",
        r"[\[<](?:please )?(?:insert|fill in|add|enter|replace|specify) [^\]>\n]{1,40}[\]>]",
        r"\[(?:your|recipient(?:'s)?|company|customer|client)(?: [a-z]{1,20}){0,2} ?(?:name|address|email|number)\]",
        r"\[(?:your|insert) [a-z ]{1,30}here\]",
        r"[\[<][^\]>\n]{1,30} (?:einfügen|eintragen|einsetzen|ergänzen)[\]>]",
        r"\[(?:ihr|dein|euer|ihre|deine)e?[nrms]? [a-zäöüß-]{1,30}\]",
        r"\[(?:insert(?:e|ar)|inserta|añad[ae]|añadir|escrib[ae]|introduzca) [^\]\n]{1,40}\]",
        r"\[(?:tu|su) (?:nombre|dirección|empresa|correo|apellido|cargo|número)[^\]\n]{0,20}\]",
        r"\[nombre (?:de|del) [^\]\n]{1,30}\]",
        r"\bto be (?:filled in|completed) later\b",
    ),
)
FORMAT_COLLAPSE = PhraseFamily(
    family=Family.FORMAT,
    message="format collapse: remnants of another format",
    severity=_WARNING,
    strict=_ERROR,
    patterns=(
        rf"\n(?:{'|'.join(USER_ROLES)}): ?[^\n]",
        rf"\n(?:{'|'.join(ASSISTANT_ROLES)}): ?[^\n]",
        r"\[object object\]",
        r"(?:\\n){4}",
        r"(?:&(?:lt|gt|amp|quot);){3}",
    ),
)
WRONG_ENCODING = PhraseFamily(
    family=Family.GARBLED,
    message=FORMAT_COLLAPSE.message,
    severity=FORMAT_COLLAPSE.severity,
    strict=FORMAT_COLLAPSE.strict,
    patterns=(r"Ã[¤¶¼©±³¡]|â€[™œ“]", "\ufffd"),
)
FAMILIES = (
    META_COMMENTARY,
    HEDGING,
    REFUSAL,
    INSTRUCTION_LEAK,
    TEMPLATE_LEAK,
    PLACEHOLDERS,
    FORMAT_COLLAPSE,
    WRONG_ENCODING,
)


def findings(*, strict: bool = False) -> tuple[PatternFinding, ...]:
    """Return the patterns of all families, one finding per pattern."""
    return tuple(
        PatternFinding(
            pattern=re.compile(pattern.replace("'", _APOSTROPHE), re.IGNORECASE | re.MULTILINE),
            message=family.message,
            severity=family.strict if strict else family.severity,
            family=family.family,
        )
        for family in FAMILIES
        for pattern in family.patterns
    )
