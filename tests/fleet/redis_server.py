"""Get and run redis-server.

    python tests/fleet/redis_server.py

finds it on this machine, or unpacks Debian's packages into `.cache/redis` without installing them.
"""

import os
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import redis

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "redis"
PACKAGES = ("redis-tools", "liblzf1", "libjemalloc2", "libatomic1")
"""Debian's `redis-server` is a link to a program of redis-tools."""
PATIENCE_S = 60


def program() -> Path | None:
    """Return the path of redis-server; ``None`` if there is none."""
    found = shutil.which("redis-server")
    unpacked = CACHE / "usr" / "bin" / "redis-server"
    return Path(found) if found else unpacked if unpacked.exists() else None


def unpack() -> None:
    """Unpack Debian's packages into the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=CACHE, check=True)
    for package in CACHE.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, CACHE], check=True)
    (CACHE / "usr" / "bin" / "redis-server").symlink_to("redis-check-rdb")


class RedisServer:
    """A redis-server on a loopback port, which keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        found = program()
        assert found is not None, "redis-server is missing: apt-get install redis-server"
        libraries = [*CACHE.glob("usr/lib/*-linux-gnu")]
        environ = os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, libraries))} if libraries else dict(os.environ)
        options = {"port": self._port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        with (self._folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen([found, *arguments], env=environ, stdout=log, stderr=log)
        while True:
            with suppress(redis.ConnectionError), redis.Redis.from_url(self.url, socket_timeout=PATIENCE_S) as client:
                client.ping()
                return
            assert self.process.poll() is None, (self._folder / "redis.log").read_text()

    def kill(self) -> None:
        """End it at once, with all its data."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
            self.process = None


if __name__ == "__main__":
    if program() is None:
        unpack()
    print(program())
    sys.exit(program() is None)
