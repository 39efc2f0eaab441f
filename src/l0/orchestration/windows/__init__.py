"""Windows over a document: cutting, measuring and processing."""
