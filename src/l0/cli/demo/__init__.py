"""`l0 demo`: run the same calls through a faulty provider, with the bare SDKs and with instrumented SDKs."""
