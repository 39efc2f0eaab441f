"""Define the Grafana dashboards as code: their panels and queries."""
