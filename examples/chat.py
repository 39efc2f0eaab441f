"""Chat in the terminal: answers arrive word by word, and L0 continues an answer that breaks.

    pip install 'l0-otel[openai]'
    python examples/chat.py

A simulated provider refuses the first request and breaks the second answer: the lines below an answer say what L0 did.
With a key, `OPENAI_API_KEY=... python examples/chat.py --live` calls a real model. Ctrl-D ends the chat.
"""

import sys
from dataclasses import replace

try:
    from openai import APIError, OpenAI
    from openai.types.chat import ChatCompletionMessageParam

    import l0
    from l0.testing import simulator
except ImportError as missing:
    sys.exit(f"{missing}. This example needs: pip install 'l0-otel[openai]'")


def chat(client: OpenAI) -> None:
    """Send the whole conversation with each question, and print the answer as it arrives."""
    turns: list[ChatCompletionMessageParam] = []
    while question := read_question():
        turns.append({"role": "user", "content": question})
        answer = ""
        try:
            for chunk in client.chat.completions.create(model="gpt-4o-mini", messages=turns, stream=True):
                if chunk.choices and (piece := chunk.choices[0].delta.content):
                    print(piece, end="", flush=True)
                    answer += piece
            print()
        except APIError as error:  # also l0.StreamInterrupted: an answer that broke and could not be continued
            print(f" [broken off: {getattr(error, 'reason', error)}]")
        if answer:
            turns.append({"role": "assistant", "content": answer})
        else:
            turns.pop()  # the question may be asked again


def read_question() -> str:
    """Return what the user typed; an empty text at the end of the input."""
    try:
        return input("> ").strip()
    except EOFError:
        return ""


def main() -> None:
    """Chat with a real model, or with the simulator."""
    # "exact" requests a broken answer again and skips what is on the screen; if the new answer differs, the call fails.
    l0.instrument(replace(l0.Policy.interactive(), resume="exact"), console=True)
    if "--live" in sys.argv:
        chat(OpenAI())
        return
    with simulator(delays="gemini-2.5-flash-lite") as sim:
        sim.on(turn=1, reply="answer explain_rain | status 503 times=1")  # times=1: a retry gets the answer
        sim.on(turn=2, reply="answer story | reset at_event=12 times=1")
        chat(OpenAI(base_url=sim.openai, api_key="none"))


if __name__ == "__main__":
    main()
