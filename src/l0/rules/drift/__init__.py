"""Drift detection: find answers that leave their tone, format or language. Pure, incremental, bounded memory.

`rule` is the entry point.
"""
