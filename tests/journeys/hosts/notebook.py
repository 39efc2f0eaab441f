"""Start a notebook kernel, as Jupyter does, and run one cell that knows nothing of l0. ``PROVIDER``: the URL."""

import sys

from jupyter_client.manager import start_new_kernel

CELL = """
import os, openai
client = openai.OpenAI(api_key="k", base_url=os.environ["PROVIDER"])
stream = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True)
print("TEXT", "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
"""


def show(message: dict[str, dict[str, str]]) -> None:
    """Print what the cell shows in the notebook."""
    content = message["content"]
    print(content.get("text") or "\n".join(content.get("traceback", ())), end="", file=sys.stdout)


if __name__ == "__main__":
    manager, client = start_new_kernel()
    try:
        reply = client.execute_interactive(CELL, output_hook=show, timeout=100)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    sys.exit(reply["content"]["status"] != "ok")
