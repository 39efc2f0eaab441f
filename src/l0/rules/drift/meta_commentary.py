"""Detect meta commentary: the answer talks about the model or its task, in English, German or Spanish.

Text in quotation marks or in code blocks does not count.
"""

from __future__ import annotations

from typing import ClassVar

from ..families import Family
from ..shared_phrases import NO_OPINIONS, SELF_REFERENCE
from .detector import DriftFinding, Thresholds
from .phrases import Phrases
from .segments import Segment, in_quotation

_SURE, _LIKELY = 0.9, 0.65
"""Confidence of a phrase about the model itself, and of one about its task."""
_OPENING = 0.5
"""Factor of the confidence in the first sentence of an answer."""
_MIN_WORDS = 3
"""A segment with fewer different words is not a sentence."""

# Matches "As an AI, I" and "as an AI model", but not "as an AI researcher" or "as an AI company we".
_AI = (
    r"ai(?: language)?(?: model| assistant| system| chatbot)?(?=\s*[,.;]|\s+(?:i|that|which|developed|trained|made)\b)"
)
_KI = r"ki(?:-(?:sprachmodell|modell|assistent|assistentin|system|chatbot)(?![\w-])"
_KI += r"|(?=,| (?:habe|kann|bin|darf|verfüge|besitze|weiß|muss|fehlt|fehlen)\b))"
_TASK = r"(?: is asking| asks| asked| has asked| wants| wanted| requested| needs| would like)"

_SELF = Phrases(
    SELF_REFERENCE
    | {
        "ai": rf"\b(?:as|being) an {_AI}|\bi(?:'m| am)(?: just| only| merely| simply)? an {_AI}"
        r"|\bi(?:'m| am) (?:just|only|merely|simply) an ai\b",
        "program": r"\b(?:i'm|i am|being|as)(?: \w+)? (?:an? )?(?:computer )?program(?=[,.;]| (?:and|that|without)\b)",
        "chatbot": r"\b(?:i'm|i am|being|as)(?: just| only| merely)? an? (?:ai )?chatbot\b",
        "trained": r"\bi (?:was|have been) (?:last )?trained (?:on|with|to|up|until)\b|\bdata i was trained\b",
        "developers": r"\bmy developers\b",
        "programming": r"\bmy programming (?:does|doesn't|prevents|forbids|allows|tells)\b",
        "guidelines": r"\bmy (?:safety |content )?guidelines\b",
        "window": r"\bmy context window\b",
        "programm": r"\b(?:nur|bloß|lediglich) ein (?:computer)?programm\b.*\bbin\b"
        r"|\bbin (?:\w+ )?(?:nur|bloß|lediglich) ein (?:computer)?programm\b",
        "computerprogramm": r"\b(?:ich bin|als)(?: \w+)?(?: ein)? computerprogramm\b",
        "trainiert": r"\bich (?:\w+ )*?trainiert (?:wurde|worden)\b",
        "programmierung": r"\bmeiner? programmierung\b",
        "entwickler": r"\bmeine entwickler\b",
        "programa": r"\b(?:soy|siendo)(?: \w+){0,2}? (?:que )?un programa\b"
        r"|\bno soy (?:más|otra cosa) que un programa\b",
        "entrenado": r"\bfui entrenado\b|\bhe sido entrenado\b|\bme han entrenado\b",
        "entrenada": r"\bfui entrenada\b|\bhe sido entrenada\b",
        "programación": r"\bmi programación\b",
        "desarrolladores": r"\bmis desarrolladores\b",
        "knowledge": r"\bmy knowledge (?:cut-?off|ends|stops|only (?:goes|extends)|is limited to)\b",
        "prompt": r"\bmy (?:system )?prompt\b(?=.*\b(?:instruct|reveal|share|say|says|tells)\b)"
        r"|\breveal my (?:system )?prompt\b|\bmeine[nm]? system-?prompt\b|\bmi prompt\b",
        "ki": rf"\bals (?:eine? )?{_KI}|\bich bin (?:nur |bloß |lediglich )?eine ki\b",
        "sprachmodell": r"\b(?:als|ich bin)(?: nur| bloß| lediglich)?(?: ein)?(?: großes)? (?:ki-)?sprachmodell\b",
        "intelligenz": r"\b(?:als|ich bin)(?: nur| bloß| lediglich)?(?: eine)? künstliche intelligenz"
        r"(?=,| (?:habe|kann|bin|darf|verfüge|besitze|weiß|muss)\b)",
        "modelo": r"\b(?:como|soy|al ser)(?: solo| sólo| solamente)?(?: un)?(?: gran)? modelo de lenguaje\b",
        "ia": r"\b(?:como|al ser|siendo|soy)(?: solo| sólo| solamente)?(?: una)? ia(?=,| (?:no|que)\b)"
        r"|\b(?:como|soy)(?: un)? asistente de ia\b",
        "inteligencia": r"\b(?:como|al ser|siendo|soy)(?: solo| sólo| solamente)?(?: una)? inteligencia artificial"
        r"(?=[,.]| (?:no|que|y)\b)",
        "corte": r"\bmi conocimiento\b.*\bfecha de corte\b",
    }
)
_SEEN_EN = "image|images|picture|photo|file|files|links|attachment|document|audio|url"
_SEEN_DE = "bild|datei|link|anhang|dokument|video"
_SEEN_ES = "imagen|foto|archivo|enlace|adjunto|documento|vídeo"
_ANSWERING = Phrases(
    {
        word: rf"\bi(?:'m| am)? (?:can't|cannot|can not|(?:am )?unable to|not able to)(?: \w+)? (?:see|view|open|access"
        rf"|hear|watch|read|play) (?:the|your|any|this|that|those)(?: \w+){{0,2}}? {word}\b"
        for word in _SEEN_EN.split("|")
    }
    | {
        word: rf"\bich\b[^.,]*\b{word}(?: \w+)? nicht (?:sehen|öffnen|lesen|ansehen|aufrufen|abspielen|hören)\b"
        for word in _SEEN_DE.split("|")
    }
    | {
        word: rf"\bno puedo (?:ver|abrir|leer|acceder|consultar|oír|reproducir)(?: a)? (?:\w+ ){{1,2}}{word}\b"
        for word in _SEEN_ES.split("|")
    }
    | {
        "user": rf"(?<!if )(?<!when )(?<!once )\bthe user{_TASK}\b.*\b(?:i|my|let me)\b",
        "response": r"\bmy (?:previous|last|earlier|prior) response\b|\bkeep my response\b",
        "answer": r"\bin my (?:previous|last|earlier|prior) answer\b",
        "confusion": r"\bapologi[sz]e for (?:the|any|my) confusion\b",
        "instructed": r"\bi(?: was|'ve been| have been| am)(?: not)? instructed\b.*\b(?:prompt|reveal|respond|answer)",
        "programmed": r"\bi(?: was|'m| am)(?: not)? programmed to\b",
        "preferences": r"\bi (?:do not|don't) have (?:any )?(?:personal )?preferences\b",
        "feelings": r"\bi (?:do not|don't) have (?:any )?(?:personal )?feelings\b",
        "opinions": NO_OPINIONS,
        "instructions": r"\b(?:the|my|your|these) instructions (?:say|said|ask|tell|require|state)\b.*\b(?:i|me|my)\b"
        r"|\b(?:per|following|according to) (?:the|my|your) instructions\b.*\bi\b",
        "asks": r"\bthe (?:prompt|question|request) asks\b.*\b(?:i|me|my|let me)\b",
        "run": r"\bi (?:can't|cannot|can not|am unable to)(?: \w+)? (?:run|execute) (?:this|the|that) code\b",
        "browse": r"\bi (?:can't|cannot|am unable to) browse\b",
        "limit": r"\b(?:word|token|character|length) limit\b.*\bi\b|\bi\b.*\b(?:word|token|character|length) limit\b",
        "memory": r"\bi (?:don't|do not) (?:have|retain) (?:any )?memory of (?:previous|past|earlier|our)\b",
        "anweisung": r"\b(?:laut|gemäß) (?:der )?anweisung\b.*\bich\b",
        "anweisungen": r"\b(?:laut|gemäß) (?:den |meinen )?anweisungen\b.*\bich\b",
        "vorgabe": r"\b(?:laut|gemäß) vorgabe\b.*\bich\b",
        "instrucciones": r"\bsegún (?:las|mis|sus) instrucciones\b",
        "assistant": r"\b(?:i'm|i am|as|being)(?: just| only| merely)? an? (?:virtual|digital|automated) assistant\b",
        "bot": r"\b(?:i'm|i am|being)(?: just| only| merely)? an? (?:\w+ )?bot(?=[,.;]| and\b)",
        "machine": r"\b(?:i'm|i am|being)(?: just| only| merely)? an? machine(?=[,.;]| and\b)",
        "algorithm": r"\b(?:i'm|i am|being)(?: just| only| merely)? an? algorithm(?=[,.;]| and\b)",
        "count": r"\bi (?:need|have|ought|must|should)\b.*\b(?:word|token|character) count\b",
        "assistent": r"\b(?:bin|als)(?: \w+)?(?: ein)? (?:virtueller|digitaler|automatischer) assistent\b",
        "wortzahl": r"\b(?:muss|soll|sollte|darf) ich\b.*\bwortzahl\b|\bich (?:muss|soll|sollte|darf)\b.*\bwortzahl\b",
        "wortlimit": r"\bich (?:muss|soll|sollte|darf)\b.*\bwortlimit\b",
        "asistente": r"\b(?:como|soy)(?: solo| sólo)?(?: un)? asistente (?:virtual|digital)\b",
        "límite": r"\b(?:debo|tengo que|he de)\b.*\blímite de palabras\b",
        "access": r"\bi (?:do not|don't) have access to (?:real-time|live|up-to-date)\b",
        "nutzer": r"(?<!wenn )(?<!falls )\bder nutzer (?:möchte|will|fragt|wünscht|bittet)\b.*\b(?:ich|meine)\b",
        "benutzer": r"(?<!wenn )(?<!falls )\bder benutzer (?:möchte|will|fragt|wünscht|bittet)\b.*\b(?:ich|meine)\b",
        "antwort": r"\bmeiner (?:vorherigen|letzten|früheren) antwort\b",
        "verwirrung": r"\bentschuldig\w+ (?:sie )?(?:bitte )?(?:für )?die verwirrung\b",
        "vorlieben": r"\b(?:ich|habe) (?:ich |habe )?keine (?:persönlichen |eigenen )?vorlieben\b",
        "echtzeitdaten": r"\bkeinen zugriff auf echtzeitdaten\b",
        "usuario": r"(?<!si )(?<!cuando )\bel usuario (?:quiere|pide|pregunta|desea|solicita)\b.*\b(?:mi|debo|voy a)\b",
        "respuesta": r"\bmi respuesta (?:anterior|previa)\b",
        "confusión": r"\b(?:disculpas|disculpe|perdón) por la confusión\b",
        "preferencias": r"\bno tengo preferencias\b",
        "sentimientos": r"\bno tengo sentimientos\b",
        "acceso": r"\bno tengo acceso a (?:información|datos) en tiempo real\b",
    }
)
_SIGNS = _SELF.keys | _ANSWERING.keys
"""Every phrase contains one of these words."""


class MetaCommentary:
    """Finds the first place where the model talks about itself or its task.

    The first sentence counts half: the user may have asked the model about itself. Text in ``<think>`` tags is not
    part of the answer, and is ignored.
    """

    MESSAGE: ClassVar[str] = "the answer talks about the model or its task"
    FAMILIES: ClassVar = frozenset({Family.META_COMMENTARY, Family.INSTRUCTION_LEAK})
    USES_WINDOW: ClassVar[bool] = False
    __slots__ = ("_opened", "_thinking")

    def __init__(self, _: Thresholds) -> None:
        self._opened = self._thinking = False

    def read(self, segment: Segment) -> DriftFinding | None:
        if "think>" in segment.lowered:
            self._thinking = "</think>" not in segment.lowered
        if segment.code_language is not None or self._thinking or len(segment.words) < _MIN_WORDS:
            return None
        opening, self._opened = not self._opened, True
        if _SIGNS.isdisjoint(segment.words):
            return None
        confidence = _OPENING if opening else 1.0
        return _first(_SELF, segment, confidence * _SURE) or _first(_ANSWERING, segment, confidence * _LIKELY)


def _first(phrases: Phrases, segment: Segment, confidence: float) -> DriftFinding | None:
    starts = (match.start() for match in phrases.matches(segment))
    unquoted = [start for start in starts if not in_quotation(segment.text, start, segment.quoted)]
    return DriftFinding(at=segment.at + min(unquoted), confidence=confidence) if unquoted else None
