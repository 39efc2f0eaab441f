"""The Amazon Bedrock provider of l0: bedrock-runtime clients of boto3."""

from .instrumentor import BedrockInstrumentor

__all__ = ["BedrockInstrumentor"]
