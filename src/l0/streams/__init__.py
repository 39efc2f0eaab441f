"""The explicit API: any source of an answer, run by the engine that serves the patched SDKs, handed out as events."""
