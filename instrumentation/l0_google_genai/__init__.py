"""The google-genai provider of l0: the Gemini API and Vertex AI."""

from .instrumentor import GoogleGenAIInstrumentor

__all__ = ["GoogleGenAIInstrumentor"]
