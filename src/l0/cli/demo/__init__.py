"""`l0 demo`: the same calls through a provider that breaks answers, with the bare SDKs and with them instrumented."""
