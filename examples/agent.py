"""An agent with tools: it looks up tables in restaurants, books one, and never acts on half a tool call.

    pip install 'l0-otel[anthropic]'
    python examples/agent.py

A simulated provider breaks a tool call in the middle, and is overloaded once; each tool still runs exactly once.
With a key, `ANTHROPIC_API_KEY=... python examples/agent.py --live` calls a real model.
"""

import sys

try:
    from anthropic import Anthropic
    from anthropic.types import MessageParam, ToolParam, ToolResultBlockParam

    import l0
    from l0.testing import simulator
except ImportError as missing:
    sys.exit(f"{missing}. This example needs: pip install 'l0-otel[anthropic]'")

TASK = "Book a table for 4 in Rome tonight."
TOOLS: list[ToolParam] = [
    {
        "name": "find_tables",
        "description": "List the restaurants of a city with free tables tonight.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
    {
        "name": "book_table",
        "description": "Book a table. This cannot be undone.",
        "input_schema": {
            "type": "object",
            "properties": {"restaurant": {"type": "string"}, "guests": {"type": "integer"}},
            "required": ["restaurant", "guests"],
        },
    },
]


def run_tool(name: str, arguments: dict[str, object]) -> str:
    """Run a tool that the model calls. Booking twice would be a real mistake."""
    if name == "find_tables":
        return "Da Enzo: table for 4 at 20:00. Roscioli: table for 2 at 21:00."
    return f"Booked for {arguments['guests']} at {arguments['restaurant']}."


def agent(client: Anthropic) -> None:
    """Let the model call tools until it answers in words."""
    messages: list[MessageParam] = [{"role": "user", "content": TASK}]
    while True:
        with client.messages.stream(model="claude-sonnet-5", max_tokens=1000, tools=TOOLS, messages=messages) as stream:
            answer = stream.get_final_message()
        messages.append({"role": "assistant", "content": answer.content})
        results: list[ToolResultBlockParam] = []
        for block in answer.content:
            if block.type == "text":
                print(block.text)
            elif block.type == "tool_use":
                result = run_tool(block.name, dict(block.input))
                print(f"{block.name}({block.input}) -> {result}")
                results.append({"type": "tool_result", "tool_use_id": block.id, "content": result})
        if not results:
            return
        messages.append({"role": "user", "content": results})


def main() -> None:
    """Run the agent with a real model, or with the simulator."""
    # This preset delivers only complete answers, so L0 can retry any broken one before the loop above sees it.
    l0.instrument(l0.Policy.agent(), console=True)
    if "--live" in sys.argv:
        agent(Anthropic())
        return
    with simulator() as sim:
        booking = """tool book_table '{"restaurant": "Da Enzo", "guests": 4}'"""
        sim.on("Book a table", reply="""tool find_tables '{"city": "Rome"}' | cut at_event=3 times=1""")
        sim.on(tool_result="table for 4", reply=f"{booking} | status 529 times=1")
        sim.on(tool_result="Booked", reply="text 'Your table at Da Enzo is booked for 20:00.'")
        agent(Anthropic(base_url=sim.anthropic, api_key="none"))


if __name__ == "__main__":
    main()
