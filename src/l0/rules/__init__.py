"""Rules on the text of an answer: guardrails, drift and structured output."""
