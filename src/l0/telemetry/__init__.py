"""Events to OpenTelemetry. The only room that imports opentelemetry; its SDK only in `otlp`, and only when asked."""
