"""The openai provider of l0: its patches, its stream readers and its errors."""

from .instrumentor import OpenAIInstrumentor

__all__ = ["OpenAIInstrumentor"]
