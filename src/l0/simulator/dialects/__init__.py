"""One module per wire dialect: request bodies in, response bodies out, in the provider's real shapes."""
