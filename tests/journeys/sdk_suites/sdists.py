"""The source distribution of an installed SDK, unpacked: wheels carry no tests."""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CACHE = Path(__file__).resolve().parents[3] / ".cache" / "sdk-suites"


class UnavailableError(Exception):
    """The source distribution is neither in the cache nor to be had."""


def unpacked(sdk: str, version: str, tests: str = "tests", cache: Path = CACHE) -> Path:
    """Return the directory of the sources of one SDK version, from the cache or through pip.

    ``tests``: the directory of the tests in it. Raises `UnavailableError`.
    """
    name = f"{sdk.replace('-', '_')}-{version}"
    folder = cache / name
    if (folder / tests).is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        archive = _download(sdk, version, Path(scratch))
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        fresh = Path(scratch) / name
        if not (fresh / tests).is_dir():
            raise UnavailableError(f"the source distribution of {sdk} {version} holds no tests")
        # The tests are to meet the installed SDK, and nothing of the SDK's own build.
        shutil.rmtree(fresh / "src", ignore_errors=True)
        try:
            fresh.rename(folder)  # whole or not at all
        except OSError:  # somebody else was quicker
            if not (folder / tests).is_dir():
                raise
    return folder


def _download(sdk: str, version: str, target: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    # Only the SDK itself comes as source: its build backend may come as a wheel, which takes seconds, not minutes.
    command = [*pip, "--no-deps", "--no-binary", sdk, "--dest", str(target), f"{sdk}=={version}"]
    environment = {**os.environ, "PIP_PROGRESS_BAR": "off"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    found = sorted(target.glob("*.tar.gz"))
    if result.returncode or len(found) != 1:
        raise UnavailableError(f"pip cannot download the sources of {sdk} {version}: {result.stderr.strip()[-500:]}")
    return found[0]
