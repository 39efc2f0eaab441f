"""`l0 slo`: objectives as a file, as Prometheus rules, as a dashboard, and how they stand."""
