"""State that the processes of a fleet share through Redis. While Redis is away, each process decides alone."""
