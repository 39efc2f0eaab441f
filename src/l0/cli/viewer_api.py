"""Read from a running `l0 view` through its JSON API."""

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
    """The viewer does not answer, reports an error, or another program does. The message says which."""


class NoServerError(ViewerError):
    """Nothing listens on the port."""


@dataclass(frozen=True, slots=True)
class ViewerClient:
    """Reads from the viewer on a port of this machine, without the proxies that environment variables name."""

    port: int

    @property
    def origin(self) -> str:
        """Return the address of the viewer."""
        return f"http://{_HOST}:{self.port}"

    def about(self) -> About:
        """Return the version of the viewer, and what it stores. Raises `NoServerError` or `ViewerError`."""
        answer = self._get("/api/about")
        if not isinstance(answer, dict) or answer.get("name") != _NAME:
            raise ViewerError(f"a program other than l0 view listens at {self.origin}")
        return cast("About", answer)

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
            answer = json.loads(body)
        except ValueError:
            answer = None
        if response.status != http.client.OK:
            reason = answer.get("error") if isinstance(answer, dict) else None
            raise ViewerError(f"{self.origin} answers {response.status}" + (f": {reason}" if reason else ""))
        return answer
