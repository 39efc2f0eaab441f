"""Phrases and words that both the bundled patterns and the drift detectors search for, each written once.

Their other phrases differ on purpose. A bundled pattern reports every single match, so it contains set phrases only. A
detector weighs its matches by sentence and context, so it also contains weaker phrases.
"""

from __future__ import annotations

SELF_REFERENCE = {
    "artificial": r"\b(?:as|being|i'm|i am)(?: just| only| merely)? an? artificial intelligence\b",
    "model": r"\b(?:as|being|i'm|i am)(?: just| only| merely)? an? (?:large )?(?:ai )?language model\b",
    "training": r"\bmy training (?:data|cut-?off)\b",
    "trainingsdaten": r"\bmeine[nr]? trainingsdaten\b",
    "wissensstand": r"\bmein(?:em|es)? wissensstand\b",
    "entrenamiento": r"\bmis datos de entrenamiento\b",
}
"""Patterns, each by a word that all its matches contain, for lower-case text with straight apostrophes."""
NO_OPINIONS = r"\bi (?:do not|don't) have (?:any )?personal opinions\b"
USER_ROLES = ("user", "human", "benutzer", "nutzer", "usuario")
ASSISTANT_ROLES = ("assistant", "ai", "assistent", "asistente")
"""Names that begin a turn of a conversation, in lower case."""
