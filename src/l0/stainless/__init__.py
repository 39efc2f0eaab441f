"""Patch the SDKs that Stainless generates, serve their calls through the engine, and restore them."""
