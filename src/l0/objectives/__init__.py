"""Service level objectives, pure: what is promised, what counts against it, and rules and dashboards as text."""
