"""Detect hedging: an answer qualifies its statements several times per sentence, in English, German or Spanish."""

from __future__ import annotations

from typing import ClassVar

from ..families import Family
from .detector import CountWindow, DriftFinding, Thresholds, confidence
from .phrases import Phrases, words
from .segments import Segment, holds_quotation

_MIN_CHARS = 120
"""Shortest stretch to judge, in characters: a single careful sentence is not drift."""
_MIN_HEDGES = 4.0
"""Fewest hedges in a stretch to judge."""

_HEDGES = Phrases(
    {
        word: rf"\b{word}\b"
        for word in (
            *("maybe", "perhaps", "possibly", "probably", "presumably", "arguably", "supposedly", "conceivably"),
            *("apparently", "potentially", "theoretically", "hypothetically", "tentatively", "ostensibly", "unclear"),
            *("uncertain", "uncertainty", "doubtful", "somewhat", "speculation", "speculative", "inconclusive"),
            *("denkbar", "mutmaßlich", "sozusagen", "quasi", "ungewiss", "unklar", "fraglich", "potenziell"),
            *("theoretisch", "tendenziell", "schätzungsweise", "vermutung", "spekulation", "ungefähr", "allenfalls"),
            *("imagino", "presumiblemente", "aparentemente", "teóricamente", "potencialmente", "eventualmente"),
            *("incierto", "dudoso", "suposición", "conjetura", "parecería", "aproximadamente", "hipotéticamente"),
            *("vielleicht", "möglicherweise", "eventuell", "vermutlich", "wahrscheinlich", "womöglich", "irgendwie"),
            *("gewissermaßen", "anscheinend", "unsicher", "unsure", "quizás", "quizá", "posiblemente", "probablemente"),
            *("acaso", "supuestamente", "supongo"),
        )
    }
    | {
        "i": r"\bi(?: would|'d)?(?: tend to| also| only| just)? (?:think|believe|guess|suppose|assume|suspect|imagine"
        r"|reckon|presume|gather|fear|feel like|wonder)\b|\bi(?:'m| am)(?: \w+)? (?:inclined|tempted|guessing)\b",
        "sure": r"\b(?:not|n't|hardly|never)(?: be)?(?: \w+)? sure\b|\bfor sure\b",
        "guess": r"\b(?:my|a|best|just a|only a|anyone's|anybody's) guess\b|\bto guess\b",
        "chance": r"\b(?:a|some|good|small) chance\b",
        "rule": r"\brule (?:it|that|this|anything|either|them)? ?out\b",
        "promise": r"\b(?:can't|cannot|not) promise\b",
        "tell": r"\b(?:can't|couldn't|cannot|hard to)(?: \w+)? tell\b",
        "quote": r"\bdon't quote me\b",
        "check": r"\bdouble-check\b",
        "bet": r"\bn't bet\b",
        "lean": r"\b(?:i'd|i would|i) lean\b",
        "speculating": r"\bspeculating\b",
        "means": r"\bby no means (?:certain|sure|clear)\b",
        "likely": r"\b(?:is|are|most|more|quite|seems|not) likely\b",
        "definite": r"\bdefinite answer\b",
        "vary": r"\b(?:may|might|can|could) vary\b",
        "otherwise": r"\b(?:may|might|could) be otherwise\b",
        "appears": r"\bit appears\b",
        "appear": r"\b(?:would|might|may|could) appear\b",
        "memory": r"\bif memory serves\b",
        "far": r"\bas far as i (?:know|can)\b",
        "understand": r"\bif i understand\b",
        "certain": r"\b(?:not|n't)(?: be)?(?: \w+)? certain\b",
        "certainty": r"\bwith certainty\b",
        "wrong": r"\b(?:could|may|might) be wrong\b",
        "mistaken": r"\b(?:may|might|could|not) be mistaken\b|\bnot mistaken\b",
        "say": r"\bhard to say\b",
        "knows": r"\bwho knows\b",
        "know": r"\bn't (?:really )?know\b",
        "expert": r"\b(?:no|not an) expert\b",
        "seems": r"\bit seems\b|\bseems like\b",
        "kind": r"\bkind of\b",
        "sort": r"\bsort of\b",
        "extent": r"\bto some extent\b",
        "way": r"\bin a way\b",
        "more": r"\bmore or less\b",
        "umständen": r"\bunter umständen\b",
        "ich": r"\bich (?:denke|glaube|vermute|schätze|nehme an|meine|fürchte|ahne|neige|tippe|rate"
        r"|würde (?:\w+ )?(?:vermuten|sagen|meinen|denken|tippen))\b"
        r"|\b(?:denke|glaube|vermute|schätze) ich\b",
        "sicher": r"\bnicht (?:\w+ )?sicher\b|\bsicher bin ich (?:mir )?nicht\b",
        "sagen": r"\bschwer zu sagen\b",
        "weiß": r"\bwer weiß\b|\bsoweit ich weiß\b|\bweiß ich (?:es )?nicht\b|\bweiß es nicht\b",
        "sein": r"\b(?:kann|mag|könnte|dürfte)(?: \w+)? sein\b",
        "mag": r"\bmag (?:\w+ )*?(?:liegen|stimmen|scheinen)\b",
        "scheint": r"\bes scheint\b|\bwie es scheint\b",
        "ausschließen": r"\bausschließen (?:würde|kann|lässt)|\bnicht (?:ganz )?ausschließen\b",
        "wetten": r"\bwetten würde ich nicht\b|\bnicht (?:darauf )?wetten\b",
        "tendieren": r"\btendieren\b",
        "tendiere": r"\btendiere\b",
        "eindeutig": r"\beindeutig (?:lässt|ist|kann)\b.*\b(?:nicht|kaum)\b",
        "infrage": r"\binfrage\b",
        "spekuliere": r"\bspekuliere\b",
        "möglich": r"\bmöglich (?:ist|wäre)\b|\b(?:ist|wäre) (?:\w+ )?möglich\b",
        "nehme": r"\bnehme ich an\b",
        "versprechen": r"\bversprechen kann ich\b|\bnicht versprechen\b",
        "feuer": r"\bhand (?:\w+ )?ins feuer\b",
        "sehen": r"\bso oder so sehen\b",
        "lässt": r"\blässt sich (?:nur )?(?:schwer|kaum|nicht)\b",
        "verwechsle": r"\bverwechsle\b",
        "gewissheit": r"\bmit gewissheit\b",
        "irren": r"\bmich (?:auch )?irren\b",
        "täuschen": r"\bmich (?:aber |auch )?täuschen\b",
        "weniger": r"\bmehr oder weniger\b",
        "tal": r"\btal vez\b",
        "mejor": r"\ba lo mejor\b",
        "puede": r"\bpuede (?:que|ser)\b",
        "posible": r"\bes posible\b",
        "creo": r"\bcreo\b(?: que)?",
        "parece": r"\bme parece\b|\bparece (?:ser|que)\b",
        "seguro": r"\bno estoy (?:\w+ )*?seguro\b",
        "segura": r"\bno estoy (?:\w+ )*?segura\b",
        "equivoco": r"\bme equivoco\b",
        "equivocado": r"\bestar equivocado\b",
        "equivocarme": r"\bequivocarme\b",
        "difícil": r"\bdifícil (?:de )?(?:decir|saber)",
        "certeza": r"\bcon certeza\b",
        "inclinaría": r"\bme inclinaría\b",
        "apostaría": r"\bno apostaría\b",
        "especulo": r"\bespeculo\b",
        "especular": r"\bespecular\b",
        "tajante": r"\brespuesta tajante\b",
        "descartaría": r"\bno descartaría\b",
        "descartar": r"\bno (?:se )?(?:puede|podemos|puedo) descartar\b",
        "prometo": r"\bno (?:\w+ )?prometo\b",
        "inclino": r"\bme inclino a\b",
        "claro": r"\bno (?:\w+ )*?claro\b",
        "confundiendo": r"\bconfundiendo\b",
        "fuego": r"\bla mano en el fuego\b",
        "cabría": r"\bcabría (?:pensar|decir|suponer)\b",
        "saberlo": r"\bdifícil saberlo\b",
        "equivoque": r"\bme equivoque\b",
        "cualquiera": r"\bcualquiera sabe\b",
        "entiendo": r"\bsi no entiendo mal\b",
        "sé": r"\bno (?:lo )?sé\b",
        "sabría": r"\bno sabría\b",
        "sabe": r"\bquién sabe\b",
        "menos": r"\bmás o menos\b",
        "modo": r"\ben cierto modo\b|\bde algún modo\b",
        "manera": r"\bde alguna manera\b",
        "diría": r"\byo diría\b",
    }
)
_MODALS = words("might could may könnte könnten dürfte wohl podría podrían")
"""Modal verbs. Careful writing uses them too, so each counts half, once per segment."""
_SIGNS = _MODALS | _HEDGES.keys
"""Every hedge contains one of these words."""


class Hedging:
    """Counts hedges per 100 characters in the densest stretch of the window."""

    MESSAGE: ClassVar[str] = "the answer hedges too many of its statements"
    FAMILIES: ClassVar = frozenset({Family.HEDGING})
    USES_WINDOW: ClassVar[bool] = True
    __slots__ = ("_threshold", "_window")

    def __init__(self, thresholds: Thresholds) -> None:
        self._window = CountWindow(thresholds.window)
        self._threshold = thresholds.hedges

    def read(self, segment: Segment) -> DriftFinding | None:
        if segment.code_language is not None:
            return None
        count = 0.0
        if not _SIGNS.isdisjoint(segment.words) and not holds_quotation(segment):
            count = 0.5 * len(_MODALS & segment.words) + sum(1 for _ in _HEDGES.matches(segment))
        self._window.add(segment.at, len(segment.text), count)
        if not count:
            return None
        at, density = self._window.densest(_MIN_CHARS, _MIN_HEDGES)
        return DriftFinding(at=at, confidence=confidence(100 * density, self._threshold)) if density else None
