"""openai for l0: what is patched, how its streams are read, and what its errors mean."""

from .instrumentor import OpenAIInstrumentor

__all__ = ["OpenAIInstrumentor"]
