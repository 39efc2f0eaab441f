"""Provide delays of well-known models, as published measurements state them."""

from .pacing import Delays


def _delays(first_token_ms: float, tokens_per_second: float) -> Delays:
    return Delays(first_token_ms=first_token_ms, inter_token_ms=round(1000 / tokens_per_second, 2))


# Medians of hourly probes from one place through OpenRouter with a prompt of one word, published at
# https://www.jonathanwrede.de/en/blog/ttft-varies-13x-across-llm-providers/. The spread is not part of that source:
# it is the default of `Delays`.
PROFILES: dict[str, Delays] = {
    "gemini-2.5-flash-lite": _delays(321, 191.9),
    "gemini-2.0-flash": _delays(405, 203.2),
    "gemini-2.5-flash": _delays(412, 235.6),
    "gpt-5.4": _delays(912, 44.8),
    "gpt-5.5": _delays(1158, 44.0),
    "claude-opus-4.6": _delays(1709, 70.4),
    "deepseek-v3.2": _delays(1734, 24.7),
    "claude-sonnet-4.6": _delays(2120, 44.3),
    "claude-opus-4.7": _delays(2494, 94.9),
    "deepseek-v4-flash": _delays(3122, 251.6),
}
"""Median delays by model. Only models with at least 16 probes and a plausible throughput are listed."""


def profile(name: str) -> Delays:
    """Return the delays of a model. Raises `ValueError` for an unknown name, with a list of all names."""
    if name not in PROFILES:
        raise ValueError(f"delays: {name!r} is unknown; allowed are {', '.join(PROFILES)}")
    return PROFILES[name]
