"""Decoders of the objects of SDKs, which are read by attribute, so that no SDK is imported."""
