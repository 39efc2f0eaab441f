"""The patches and adapters for SDKs that Stainless did not generate: L0 wraps the functions that send and read."""
