"""`l0 run`: start a program that nobody edits under `l0.instrument()`, with the processes that it starts."""
