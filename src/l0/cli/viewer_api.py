"""Ask a running `l0 view` by its JSON API."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

if TYPE_CHECKING:
    from l0.viewer.api_contract import About, CallsPage, Overview

_HOST = "127.0.0.1"
_TIMEOUT_SECONDS = 10.0
_NAME = "l0 view"


class ViewerError(Exception):
    """No answer, or that of another program. The message says which."""


class NoServerError(ViewerError):
    """Nothing listens on the port."""


@dataclass(frozen=True, slots=True)
class ViewerClient:
    """Reads from the viewer on a port of this machine. Proxies that the environment names are not used."""

    port: int

    @property
    def origin(self) -> str:
        """Return the address of the viewer."""
        return f"http://{_HOST}:{self.port}"

    def about(self) -> About:
        """Return what the viewer says of itself. Raises `NoServerError` or `ViewerError`."""
        found = self._get("/api/about")
        if not isinstance(found, dict) or found.get("name") != _NAME:
            raise ViewerError(f"another program than l0 view listens at {self.origin}")
        return cast("About", found)

    def overview(self, parameters: Mapping[str, str | list[str]]) -> Overview:
        """Return the overview of the calls that match. Raises `NoServerError` or `ViewerError`."""
        return cast("Overview", self._get(f"/api/overview?{urlencode(parameters, doseq=True)}"))

    def calls(self, parameters: Mapping[str, str | list[str]]) -> CallsPage:
        """Return a page of the calls that match. Raises `NoServerError` or `ViewerError`."""
        return cast("CallsPage", self._get(f"/api/calls?{urlencode(parameters, doseq=True)}"))

    def _get(self, path: str) -> Any:
        connection = http.client.HTTPConnection(_HOST, self.port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except ConnectionRefusedError as error:
            raise NoServerError(f"nothing listens at {self.origin}") from error
        except (OSError, http.client.HTTPException) as error:
            raise ViewerError(f"no answer from {self.origin} ({type(error).__name__})") from error
        finally:
            connection.close()
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if response.status != http.client.OK:
            reason = found.get("error") if isinstance(found, dict) else None
            raise ViewerError(f"{self.origin} answers {response.status}" + (f": {reason}" if reason else ""))
        return found
