"""Start a notebook kernel, as Jupyter does, and run cells: a JSON list, or one cell that knows nothing of l0.

``PROVIDER``: the URL of the provider.
"""

import json
import sys
from typing import Any

from jupyter_client.manager import start_new_kernel

CELL = """
import os, openai
client = openai.OpenAI(api_key="k", base_url=os.environ["PROVIDER"])
stream = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True)
print("TEXT", "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
"""


def show(message: dict[str, Any]) -> None:
    """Print what the cell shows in the notebook."""
    content = message["content"]
    shown = content.get("text") or content.get("data", {}).get("text/plain") or "\n".join(content.get("traceback", ()))
    print(shown, end="" if "text" in content else "\n", file=sys.stdout)


if __name__ == "__main__":
    manager, client = start_new_kernel()
    try:
        for cell in json.loads(sys.argv[1]) if sys.argv[1:] else [CELL]:
            reply = client.execute_interactive(cell, output_hook=show, timeout=100)
            if reply["content"]["status"] != "ok":
                sys.exit(1)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
