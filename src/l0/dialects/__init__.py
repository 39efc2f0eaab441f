"""Read the wire formats of providers: chat, completions, Responses, messages, generateContent and Converse."""
