"""The providers of l0 whose API is compatible with OpenAI's and whose SDK Stainless generates."""
