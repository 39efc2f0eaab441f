"""A local provider simulator: OpenAI, Anthropic, Gemini and Amazon Bedrock over loopback HTTP, with recorded bodies,
scripts and faults.

Start it in a test with `l0.testing.simulator()`, in the foreground with `l0.simulator.server.run(Simulator(config))`.
"""
