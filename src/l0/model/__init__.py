"""Ground floor: the nouns of the project. Values that cannot fail, and the ports that point upward. Stdlib only."""
