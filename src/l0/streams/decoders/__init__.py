"""Decoders of the providers' own objects: recognised by their attributes, so that no SDK is imported."""
