"""The anthropic provider of l0: its patches, its stream reader and its errors."""

from .instrumentor import AnthropicInstrumentor

__all__ = ["AnthropicInstrumentor"]
