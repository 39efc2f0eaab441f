"""The machine: decides, and never acts. No clock, no thread, no socket, no opentelemetry."""
