"""The installed copies need a package registry and minutes: `make package` runs their tests."""

import os

collect_ignore_glob = [] if os.environ.get("TEST_PACKAGE") else ["test_installed_copies.py"]
