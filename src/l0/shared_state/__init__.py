"""State that calls share, per provider and model. It is bounded, and its locks are held for O(1) work."""
