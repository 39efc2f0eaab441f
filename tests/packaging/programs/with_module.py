"""A program that imports the module."""

from collections.abc import Sequence

import openai

import l0
from l0.testing import simulator


class Log(l0.types.Observer):
    """Count the failed attempts of all calls."""

    def __init__(self) -> None:
        self.failed = 0

    def observe(self, call: l0.types.Call) -> l0.types.CallObserver | None:
        return None


def ask(questions: Sequence[str]) -> list[str]:
    l0.instrument(l0.Policy(timeout=l0.Timeout(total=60_000)), observers=[Log()])
    with simulator() as sim:
        client = openai.OpenAI(base_url=sim.openai, api_key="none")
        answers: list[str] = []
        for question in questions:
            with l0.policy(retry=l0.Retry(max_retries=2)):
                answer = client.chat.completions.create(
                    model="gpt-4o", messages=[{"role": "user", "content": question}], stream=True
                )
            answers.append("".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices))
    l0.uninstrument()
    text: str = l0.run_sync(lambda: iter(["a", "b"])).read()
    return [*answers, text, l0.__version__]


if __name__ == "__main__":
    print(*ask(["Hello"]), sep="\n")
