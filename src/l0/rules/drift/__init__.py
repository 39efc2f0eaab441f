"""Drift detection: find answers that leave their tone, format or language. Pure, incremental, bounded memory.

`drift_rule` is the entry point.
"""
