"""Put wrappers in place of an SDK's functions, and restore the functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import wrapt

from .foreign_wrappers import copies, form_for, held

PatchTarget = tuple[Any, str, Callable[..., Any]]
"""A class or module, the name of one of its functions, and our wrapper."""


class FunctionPatches:
    """The patches of one SDK. ``label``: the name and the version of the SDK, for the error."""

    def __init__(self, label: str) -> None:
        self.active = False
        self.originals: list[Callable[..., Any]] = []
        """The functions that our patches wrap. L0 repeats a request through them: a patch would begin a new call."""
        self.patched: list[Any] = []
        """Our patches, in the same order."""
        self._label = label
        self._patches: list[tuple[Any, str, Any, Any]] = []

    def find(self, targets: Sequence[PatchTarget]) -> list[Any]:
        """Return the functions to patch. Raises `AttributeError` if the SDK lacks one of them."""
        originals: list[Any] = [owner.__dict__.get(name) for owner, name, _ in targets]
        if None in originals:
            raise AttributeError(f"{self._label} lacks the functions that l0 patches")
        return originals

    def put(self, targets: Sequence[PatchTarget], enabled: Callable[[str], Any] = lambda _: None) -> None:
        """Patch the functions. Raises `AttributeError`, and patches nothing, if the SDK lacks one of them.

        ``enabled``: returns wrapt's ``enabled`` for the function of this name.
        """
        self.originals = originals = self.find(targets)
        for (owner, name, wrapper), original in zip(targets, originals, strict=True):
            patched = wrapt.FunctionWrapper(original, wrapper, enabled=enabled(name))
            self.patched.append(patched)
            for place, attribute in [*copies(owner, name, original), (owner, name)]:
                form = form_for(place, patched, owner)
                setattr(place, attribute, form)
                self._patches.append((place, attribute, original, form))
        self.active = True

    def in_place(self) -> Iterator[tuple[Any, str, Any]]:
        """Yield the owner, the name and our function of each patch."""
        for owner, name, _, patched in self._patches:
            yield owner, name, patched

    def undo(self) -> None:
        """Restore the SDK's functions. If another library wrapped a patch, the patch stays and passes calls through."""
        self.active = False
        for owner, name, original, patched in self._patches:
            if held(owner, name) is patched:
                setattr(owner, name, original)
            for place, attribute in copies(owner, name, patched):
                setattr(place, attribute, original)
        self._patches.clear()
