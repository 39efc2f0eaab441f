"""A program that is recorded: it writes the number of each call, and the time, to stdout once the call is over.

``FOLDER URL CALLS``: make so many calls. With ``fork``, two children make as many each. With ``children``, make none,
but start a child for every folder that stdin names: it makes calls until it is killed, which costs no start of an
interpreter.
"""

import os
import sys
from time import monotonic

import openai

import l0

FOLDER, URL, CALLS, *MODE = sys.argv[1:]


def call(client: openai.OpenAI, number: int) -> None:
    with client.chat.completions.create(
        model=f"call-{number}", messages=[{"role": "user", "content": "hello"}], stream=True
    ) as stream:
        for _ in stream:
            pass
    os.write(1, f"{number} {monotonic()}\n".encode())  # in one piece: print may be killed before it ends the line


def make_calls(first: int, calls: int) -> None:
    with openai.OpenAI(api_key="x", base_url=URL) as client:
        for number in range(first, first + calls):
            call(client, number)


def start_children() -> None:
    for folder in sys.stdin:
        child = os.fork()
        if child == 0:
            l0.instrument(record=folder.strip())
            make_calls(0, int(CALLS))
            os._exit(0)
        print(f"child {child}", flush=True)
        os.waitpid(child, 0)
        print("killed", flush=True)


def main() -> None:
    if MODE == ["children"]:
        start_children()
        return
    l0.instrument(record=FOLDER)
    make_calls(0, 1)
    children = []
    for first in (1000, 2000) if MODE == ["fork"] else ():
        child = os.fork()
        if child == 0:
            make_calls(first, int(CALLS))
            return
        children.append(child)
    make_calls(1, int(CALLS))
    for child in children:
        os.waitpid(child, 0)


main()
