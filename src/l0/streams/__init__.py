"""The explicit API: run any source of an answer on the engine of the patched SDKs, and deliver it as events."""
