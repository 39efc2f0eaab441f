"""Report the events of calls to OpenTelemetry and to the log. In this package, only `otlp` uses OpenTelemetry's SDK."""
