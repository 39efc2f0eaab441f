"""State that the processes of a fleet share through Redis. Each process follows its own rules while Redis is away."""
