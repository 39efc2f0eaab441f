"""Read the wire formats of providers: chat, completions, Responses and messages."""
