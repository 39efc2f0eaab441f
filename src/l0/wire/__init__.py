"""Parse the bytes of the wire: server-sent events, JSON and Retry-After headers. Pure functions and values."""
