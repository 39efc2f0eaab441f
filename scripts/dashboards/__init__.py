"""Grafana dashboards as code: what stands on each, and the queries behind it."""
