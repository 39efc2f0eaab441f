"""A Celery application that knows nothing of l0. ``PROVIDER``: the URL; ``QUEUE``: the folder of broker and results."""

import os
from pathlib import Path

import openai
from celery import Celery

queue = Path(os.environ["QUEUE"])
app = Celery("celery_app", broker="filesystem://", backend=f"file://{queue}")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(queue / "messages"),
        "data_folder_out": str(queue / "messages"),
        "control_folder": str(queue / "control"),
    }
)


@app.task
def answer() -> str:
    """Stream one answer."""
    client = openai.OpenAI(api_key="k", base_url=os.environ["PROVIDER"])
    stream = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
