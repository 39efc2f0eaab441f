"""What calls share, per provider and model. Small, bounded, under locks held for O(1) work."""
