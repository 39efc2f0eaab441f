"""Consensus: compare several answers, decide what they agree on, and resolve disagreement."""
