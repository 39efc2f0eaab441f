"""Structured output: scan JSON while it streams, repair it by named edits, and validate it against a schema."""
