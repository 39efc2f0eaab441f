"""Report events to OpenTelemetry. Only this package imports opentelemetry; only `otlp.setup` imports its SDK."""
