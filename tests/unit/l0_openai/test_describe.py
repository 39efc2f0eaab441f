"""The description of a request for its span, from the options of the SDK's own request."""

import openai
import pytest
from openai._models import FinalRequestOptions

from l0_openai.describe import describe

CHAT = "/chat/completions"


def attributes(url, **body):
    client = openai.OpenAI(api_key="k", base_url="http://origin.invalid/v1")
    options = FinalRequestOptions.construct(method="post", url=url, json_data={"model": "m", **body})
    inference = describe(client, options, stream=False)
    client.close()
    return inference and inference.attributes


@pytest.mark.parametrize(
    ("url", "body", "told"),
    [
        (CHAT, {}, {}),
        (CHAT, {"temperature": 1}, {"gen_ai.request.temperature": 1.0}),
        (CHAT, {"temperature": True}, {}),
        (CHAT, {"seed": 3}, {"gen_ai.request.seed": 3}),
        (CHAT, {"top_p": 0.5}, {"gen_ai.request.top_p": 0.5}),
        (CHAT, {"frequency_penalty": 0.5}, {"gen_ai.request.frequency_penalty": 0.5}),
        (CHAT, {"presence_penalty": 0.5}, {"gen_ai.request.presence_penalty": 0.5}),
        (CHAT, {"n": 2}, {"gen_ai.request.choice.count": 2}),
        (CHAT, {"n": 1}, {}),
        (CHAT, {"stop": "x"}, {"gen_ai.request.stop_sequences": ("x",)}),
        (CHAT, {"stop": ["x", "y"]}, {"gen_ai.request.stop_sequences": ("x", "y")}),
        (CHAT, {"response_format": {"type": "json_schema"}}, {"gen_ai.output.type": "json"}),
        (CHAT, {"service_tier": "flex"}, {"openai.request.service_tier": "flex"}),
        (CHAT, {"service_tier": "auto"}, {}),
        (CHAT, {"service_tier": None}, {}),
        ("/responses", {"max_output_tokens": 5}, {"gen_ai.request.max_tokens": 5}),
        ("/responses", {"conversation": "conv_1"}, {"gen_ai.conversation.id": "conv_1"}),
        ("/responses", {"conversation": {"id": "conv_1"}}, {"gen_ai.conversation.id": "conv_1"}),
        ("/responses", {"conversation": {}}, {}),
        ("/responses", {"text": {"format": {"type": "json_schema"}}}, {"gen_ai.output.type": "json"}),
        ("/responses", {"text": {"verbosity": "low"}}, {}),
        ("/embeddings", {"dimensions": 8}, {"gen_ai.embeddings.dimension.count": 8}),
        ("/embeddings", {"encoding_format": "base64"}, {"gen_ai.request.encoding_formats": ("base64",)}),
        ("/embeddings", {"encoding_format": openai.NOT_GIVEN}, {}),
        ("/files", {}, None),
    ],
)  # fmt: skip
def test_attributes(url, body, told):
    types = {CHAT: {"openai.api.type": "chat_completions"}, "/responses": {"openai.api.type": "responses"}}
    assert attributes(url, **body) == (told if told is None else told | types.get(url, {}))
