"""A running viewer, one per file."""

from collections.abc import Iterator

import pytest
from viewer_client import ViewerClient, running_viewer


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewerClient]:
    with running_viewer(tmp_path_factory.mktemp("viewer") / "view.db") as client:
        yield client
