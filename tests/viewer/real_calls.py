"""Make one call through L0 against the simulator: `real_calls.py ORIGIN`. A refused, a hanging and a hedged attempt."""

import sys

import openai

import l0
from l0.testing import simulator

l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0.05), hedge=l0.Hedge(after=150)), otlp=sys.argv[1], timeline=True)
with simulator() as provider, openai.OpenAI(base_url=provider.openai, api_key="k") as client:
    provider.script("status 503", "no-headers seconds=30", "answer story")
    prompt = [{"role": "user", "content": "Tell me a story."}]
    for _ in client.chat.completions.create(model="gpt-4o", messages=prompt, stream=True):
        pass
    client.chat.completions.create(model="gpt-4o-mini", messages=prompt)
