"""Phrases and words that both the bundled patterns and the drift detectors search for, each written once.

All other phrases of the two differ on purpose: a bundled pattern reports a single match anywhere, so it only holds set
phrases; a detector weighs its matches by sentence and context, so it also holds weaker ones.
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
"""Patterns by a word that every match contains, for lower-case text with straight apostrophes."""
NO_OPINIONS = r"\bi (?:do not|don't) have (?:any )?personal opinions\b"
USER_ROLES = ("user", "human", "benutzer", "nutzer", "usuario")
ASSISTANT_ROLES = ("assistant", "ai", "assistent", "asistente")
"""Names that begin a turn of a conversation, in lower case."""
