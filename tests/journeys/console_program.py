"""A program that prints two streamed answers as they come, with the console on. ``PROVIDER``: the URL.

``terminate``: it ends itself by SIGTERM. ``broken``: its second call fails.
"""

import os
import signal
import sys

import openai

import l0


def main(how: str) -> None:
    """Make the calls."""
    l0.instrument(l0.Policy(retry=l0.Retry(base_delay=0)), console=True)
    client = openai.OpenAI(api_key="sk-SECRET", base_url=os.environ["PROVIDER"])
    for _ in range(2):
        try:
            stream = client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "PROMPT"}], stream=True
            )
            for chunk in stream:
                if chunk.choices:
                    print(chunk.choices[0].delta.content or "", end="")
        except openai.APIError:
            print("FAILED", end="")
    print()
    if how == "terminate":
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1])
