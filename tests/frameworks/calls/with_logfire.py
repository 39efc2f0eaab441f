"""Set up logfire for a test. It makes the global providers, and sends nothing."""

from tracing import Tracing


def configure_logfire(tracing: Tracing) -> None:
    import logfire

    logfire.configure(
        send_to_logfire=False,
        console=False,
        additional_span_processors=[tracing.processor],
        metrics=logfire.MetricsOptions(additional_readers=[tracing.reader]),
    )
    tracing.set_up = True
