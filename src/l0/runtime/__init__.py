"""Obey the machine's commands: one driver for sync code, one for async. They differ at ``await`` and at timers only."""
