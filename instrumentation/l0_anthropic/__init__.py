"""anthropic for l0: what is patched, how its streams are read, and what its errors mean."""

from .instrumentor import AnthropicInstrumentor

__all__ = ["AnthropicInstrumentor"]
