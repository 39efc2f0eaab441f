"""The decisions of the engine, as pure code: no clock, no thread, no socket, no opentelemetry."""
