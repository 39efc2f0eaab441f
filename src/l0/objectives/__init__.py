"""Service level objectives: definitions, classification of events, rules and dashboards. Pure."""
