"""Structured output: JSON scanned while it streams, repaired by named edits, and judged by a schema."""
