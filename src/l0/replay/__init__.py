"""Recorded calls as a provider: any client gets the recorded answers, byte for byte."""
