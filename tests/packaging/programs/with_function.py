"""A user's program that calls the function `l0.l0`. Type checkers check it, and the installed wheel runs it."""

import asyncio

from l0 import Timeout, l0
from l0.types import Stream


async def main() -> None:
    stream: Stream = await l0(lambda: iter(["te", "xt"]), timeout=Timeout())
    text: str = await stream.read()
    result = await l0.structured(int, lambda: iter(["42"]))
    number: int = result.value
    print(text, number)


if __name__ == "__main__":
    asyncio.run(main())
