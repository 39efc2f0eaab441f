"""A program that imports the function."""

import asyncio
from dataclasses import dataclass

from l0 import Timeout, l0
from l0.types import Stream


@dataclass
class Answer:
    """The value of an answer."""

    number: int


async def main() -> None:
    stream: Stream = await l0(lambda: iter(["te", "xt"]), timeout=Timeout())
    text: str = await stream.read()
    result = await l0.structured(int, lambda: iter(["42"]))
    number: int = result.value
    print(text, number)


if __name__ == "__main__":
    asyncio.run(main())
