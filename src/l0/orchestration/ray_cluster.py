"""Connect to a Ray cluster, on one machine or on many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_USAGE_STATS_VARIABLE = "RAY_USAGE_STATS_ENABLED"
"""Ray sends usage statistics to its developers unless this variable is 0."""


class MissingRayError(ImportError):
    """Ray is not installed."""


class RayCluster:
    """A Ray cluster, whose machines have the same version of L0.

    ``address``: the cluster's address, in the form that `ray.init` accepts. If it is ``None``, L0 uses the cluster in
    ``RAY_ADDRESS``. If that is not set, Ray uses the cluster that ``ray start`` has started on this machine; if there
    is none, L0 starts a local cluster and stops it afterwards. ``cpus``: the number of CPUs of that local cluster
    (``None``: all CPUs); ignored for a cluster with an address, and an error of Ray for that of ``ray start``. If the
    program has initialized Ray before, L0 uses that cluster and ignores both. Raises `MissingRayError`.
    """

    def __init__(self, address: str | None = None, *, cpus: int | None = None) -> None:
        try:
            self.ray: Any = import_module("ray")
        except ImportError as error:
            raise MissingRayError("Ray is not installed: pip install 'l0-otel[ray]'") from error
        self._address = address
        self._cpus = cpus

    @contextmanager
    def joined(self) -> Iterator[Any]:
        """Join the cluster for a block. Yield the package ``ray``."""
        joins = self.join()
        try:
            yield self.ray
        finally:
            if joins:
                self.ray.shutdown()

    def join(self) -> bool:
        """Join the cluster. Return False if the program is in one already."""
        if self.ray.is_initialized():
            return False
        os.environ.setdefault(_USAGE_STATS_VARIABLE, "0")
        local_options = {} if self._address or os.environ.get("RAY_ADDRESS") else {"num_cpus": self._cpus}
        self.ray.init(address=self._address, include_dashboard=False, log_to_driver=False, **local_options)
        return True
