"""`l0 slo`: convert objectives to files, Prometheus rules and dashboards, and show their status."""
