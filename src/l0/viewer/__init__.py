"""A local page for what L0 reports: receives OTLP over HTTP on loopback, keeps it in SQLite, and serves a JSON API."""
