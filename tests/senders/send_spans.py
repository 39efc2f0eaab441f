"""A program that another instrumentation traces: two calls, the second of which fails. l0 instruments nothing here.

python send_spans.py SENDER PROVIDER OTLP
"""

import sys
from collections.abc import Callable
from importlib import import_module

import openai
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

INSTRUMENTORS = {
    "genai": "opentelemetry.instrumentation.genai.openai",
    "openinference": "openinference.instrumentation.openai",
    "traceloop": "opentelemetry.instrumentation.openai",
}
End = Callable[[], object]


def instrumented(module: str, exporter: OTLPSpanExporter) -> End:
    """Instrument with a package of OpenTelemetry's shape. Return what flushes."""
    provider = TracerProvider(resource=Resource.create({"service.name": "sender"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    import_module(module).OpenAIInstrumentor().instrument(tracer_provider=provider)
    return provider.shutdown


def with_logfire(exporter: OTLPSpanExporter) -> End:
    """Instrument with logfire, which sends nothing to its own service. Return what flushes."""
    import logfire

    logfire.configure(
        send_to_logfire=False,
        console=False,
        service_name="sender",
        additional_span_processors=[BatchSpanProcessor(exporter)],
    )
    logfire.instrument_openai()
    return logfire.shutdown


def main(sender: str, provider: str, otlp: str) -> None:
    """Make the calls."""
    exporter = OTLPSpanExporter(f"{otlp}/v1/traces")
    end = with_logfire(exporter) if sender == "logfire" else instrumented(INSTRUMENTORS[sender], exporter)
    client = openai.OpenAI(api_key="k", base_url=provider, max_retries=0)
    hello = [{"role": "user", "content": "hi"}]
    client.chat.completions.create(model="gpt-4o", messages=hello)  # type: ignore[arg-type]
    try:
        client.chat.completions.create(
            model="gpt-4o",
            messages=hello,  # type: ignore[arg-type]
            extra_headers={"x-l0-simulate": "status 400"},
        )
    except openai.BadRequestError:
        pass
    else:
        raise AssertionError("the second call must fail")
    end()


if __name__ == "__main__":
    main(*sys.argv[1:])
