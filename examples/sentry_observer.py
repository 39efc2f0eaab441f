"""Report LLM calls to Sentry: a breadcrumb per attempt, and an error for each call that failed.

    pip install 'l0-otel[openai]' sentry-sdk
    SENTRY_DSN=... OPENAI_API_KEY=... python examples/sentry_observer.py

Neither contains a prompt or an answer. Sentry's own integrations of openai and anthropic are off: they would report the
same failures again, with the program's local variables, which hold prompts and the text received so far.
"""

import sys

import openai
import sentry_sdk
from sentry_sdk.integrations.anthropic import AnthropicIntegration
from sentry_sdk.integrations.openai import OpenAIIntegration

import l0


class SentryObserver(l0.types.Observer):
    """Observes every call."""

    def observe(self, call: l0.types.Call) -> l0.types.CallObserver:
        """Return the observer of one call."""
        return SentryCallObserver(call)


class SentryCallObserver(l0.types.CallObserver):
    """Adds the breadcrumbs of one call, and captures its failure."""

    def __init__(self, call: l0.types.Call) -> None:
        self._name = f"{call.provider} {call.operation} {call.model}"
        self._tags = {"llm.provider": call.provider, "llm.model": call.model, "llm.operation": call.operation}

    def notify(self, event: l0.types.CallEvent) -> None:
        """Report an attempt or a failed call. Other events need no report."""
        match event:
            case l0.types.AttemptEnded():
                self._add_breadcrumb(event)
            case l0.types.CallEnded(failure=l0.types.Failure() as failure):
                self._capture(event, failure)

    def _add_breadcrumb(self, event: l0.types.AttemptEnded) -> None:
        result = (
            "was not needed" if event.lost else "succeeded" if event.failure is None else f"failed: {event.failure}"
        )
        sentry_sdk.add_breadcrumb(
            category="llm",
            level="info" if event.failure is None else "warning",
            message=f"{self._name}: attempt {event.number} {result}",
            data={"status": event.status, "request_id": event.request_id, "action": event.action},
        )

    def _capture(self, event: l0.types.CallEnded, failure: l0.types.Failure) -> None:
        cause = failure.cause.value
        sentry_sdk.capture_event(
            {
                "level": "error",
                "logger": "l0",
                "transaction": self._name,
                # Not `capture_exception`: the SDK's exception may quote the prompt or the answer.
                "exception": {"values": [{"type": cause, "value": str(failure), "mechanism": {"type": "l0"}}]},
                "tags": {**self._tags, "llm.cause": cause},
                "contexts": {
                    "llm_call": {
                        "attempts": event.attempts,
                        "stop_reason": event.stop_reason,
                        "policy_field": event.policy_field,
                        "wasted_tokens": event.wasted_tokens,
                    }
                },
                "fingerprint": ["l0", self._name, cause],
            }
        )


def main() -> None:
    """Stream one answer."""
    sentry_sdk.init(disabled_integrations=[OpenAIIntegration(), AnthropicIntegration()])  # reads SENTRY_DSN
    l0.instrument(observers=[SentryObserver()])
    client = openai.OpenAI()
    try:
        stream = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Why is the sky blue?"}], stream=True
        )
        for chunk in stream:
            print(*(choice.delta.content or "" for choice in chunk.choices), sep="", end="", flush=True)
        print()
    except openai.OpenAIError as error:
        print(f"\nno answer: {type(error).__name__}", file=sys.stderr)


if __name__ == "__main__":
    main()
