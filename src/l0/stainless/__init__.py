"""Where wrapt touches strangers: what is patched, how, and how it is undone; and the process-wide switchboard."""
