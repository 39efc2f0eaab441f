"""Read and write wire formats: server-sent events, Amazon's event streams, JSON and HTTP headers."""
