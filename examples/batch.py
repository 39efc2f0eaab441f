"""Classify 500 reviews, 20 at a time, and report the answers, the failures, and the cost of the retries.

    pip install 'l0-otel[openai]'
    python examples/batch.py

A simulated provider fails a fifth of the requests, and always refuses one review, which the report shows as failed.
With a key, `OPENAI_API_KEY=... python examples/batch.py --live` calls a real model (500 short calls).
"""

import asyncio
import sys
from collections import Counter

try:
    from openai import APIError, AsyncOpenAI

    import l0
    from l0.testing import simulator
except ImportError as missing:
    sys.exit(f"{missing}. This example needs: pip install 'l0-otel[openai]'")

CONCURRENCY = 20
OPINIONS = ("It broke on the first day.", "Best purchase of the year.", "It does what it should.")
REVIEWS = [f"Review {number}: {OPINIONS[number % 3]}" for number in range(1, 501)]


async def classify(client: AsyncOpenAI, review: str, limit: asyncio.Semaphore) -> str:
    """Return the answer in one word, or the reason why there is none: one bad review does not stop the batch."""
    async with limit:
        try:
            completion = await client.chat.completions.create(
                model="gpt-4o-mini",
                messages=[
                    {"role": "system", "content": "Answer in one word: positive, negative or neutral."},
                    {"role": "user", "content": review},
                ],
            )
        except APIError as error:
            return f"failed: {type(error).__name__}"
    return completion.choices[0].message.content or "failed: no text"


async def batch(client: AsyncOpenAI) -> None:
    """Classify all reviews, and print the report."""
    limit = asyncio.Semaphore(CONCURRENCY)
    async with client:
        answers = await asyncio.gather(*(classify(client, review, limit) for review in REVIEWS))
    for answer, count in Counter(answers).most_common():
        print(f"{count:5}  {answer}")
    print(l0.summary())  # how many calls were recovered, from what, and what that cost


def main() -> None:
    """Run the batch with a real model, or with the simulator."""
    # Up to 5 retries for bad content. The delays are short, because the simulator recovers at once. l0.Policy.batch()
    # waits longer, as a real provider needs.
    l0.instrument(l0.Policy(retry=l0.Retry(attempts=5, base_delay=0.2)), summary=True)
    if "--live" in sys.argv:
        asyncio.run(batch(AsyncOpenAI()))
        return
    with simulator() as sim:
        sim.on("Review 13:", reply="status 400")
        for opinion, answer in zip(OPINIONS, ("negative", "positive", "neutral"), strict=True):
            sim.on(opinion, reply=f"text {answer} | status 503 rate=0.1 | empty rate=0.1")
        asyncio.run(batch(AsyncOpenAI(base_url=sim.openai, api_key="none")))


if __name__ == "__main__":
    main()
