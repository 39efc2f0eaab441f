"""Pure: bytes to events, events to JSON, JSON to the SDKs' objects."""
