"""Build the value of a union from data that pydantic rejects, for example from a server that is older than the SDK."""

from collections.abc import Callable
from typing import Any

from l0.fastpath.comparison import difference


class RejectedValues:
    """Builds a value with the first member of a union, as the SDK does if the data is valid for no member.

    The self-test is that of the constructors: the first value is compared with the SDK's. If they differ, the SDK
    builds all further values.
    """

    def __init__(self, build: Callable[[Any], Any], by_sdk: Callable[[Any], Any]) -> None:
        self._build = build
        self._by_sdk = by_sdk
        self._proven = False

    def __call__(self, data: Any) -> Any:
        """Return the value for data that is valid for no member of the union."""
        if type(data) is not dict:  # for a list, some SDKs do not use the first member
            return self._by_sdk(data)
        if not self._proven:
            return self._prove(data)
        try:
            return self._build(data)
        except Exception:  # the SDK tries the next member
            return self._by_sdk(data)

    def _prove(self, data: Any) -> Any:
        expected = self._by_sdk(data)
        try:
            same = not difference(self._build(data), expected)
        except Exception:
            return expected
        if not same:
            self._build = self._by_sdk
        self._proven = True
        return expected
