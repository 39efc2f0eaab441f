"""One module per wire dialect: read request bodies and build response bodies in the provider's real formats."""
