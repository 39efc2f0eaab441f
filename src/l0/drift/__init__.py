"""Drift: where an answer slides away from what it was. Pure, incremental, in bounded memory; `rule` is the door."""
