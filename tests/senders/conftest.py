"""Instrumentations of others, in their own environment: `make test-peers` runs these tests."""

import os

collect_ignore_glob = [] if os.environ.get("TEST_SENDERS") else ["test_*.py"]
