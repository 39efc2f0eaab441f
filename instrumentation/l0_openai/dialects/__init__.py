"""What the events of each OpenAI API mean."""
