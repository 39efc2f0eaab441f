"""A pytest plugin: record the HTTP traffic of a test in a file, and play it back without a network.

pytest loads `plugin` by entry point. Everything else is imported only when a test uses a cassette.
"""
