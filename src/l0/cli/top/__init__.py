"""`l0 top`: the overview of a running `l0 view` in the terminal."""
