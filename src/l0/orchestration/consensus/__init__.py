"""One answer out of several: how alike they are, what they agree on, and what becomes of it where they do not."""
