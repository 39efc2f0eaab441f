"""Instrumentations of others, in an environment of their own: `make test-peers` runs these tests."""

import os

collect_ignore_glob = [] if os.environ.get("TEST_SENDERS") else ["test_*.py"]
