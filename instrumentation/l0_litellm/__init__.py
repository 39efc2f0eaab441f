"""The litellm provider of l0: the requests that litellm sends by its own HTTP handlers."""

from .instrumentor import LitellmInstrumentor

__all__ = ["LitellmInstrumentor"]
