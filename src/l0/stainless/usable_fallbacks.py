"""Leave out the fallbacks that cannot serve a call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from l0.config import OWN_POLICY
from l0.model.policy import Policy, PolicyError

_log = logging.getLogger("l0")
_NO_MODEL = "Fallback.model: got {model!r}, but the body of the request is not a JSON object, so its model stays"
_logged: set[str] = set()
"""The warnings that this process has logged."""


def usable_fallbacks(
    policy: Policy, client: object, serves: Callable[[Any], bool], allowed: str
) -> tuple[Policy, tuple[str, ...]]:
    """Return the policy of a call by ``client``, without the fallbacks whose client does not serve it, and the reason
    why each of these is left out.

    A policy for all calls or for a block may meet calls of several SDKs, sync and async, and must not fail the healthy
    ones: the fallback is left out, and each kind of mismatch is logged once per process. ``allowed``: the clients that
    serve the call, as a text.
    ``client``: the client of the call; ``None`` if clients of this SDK cannot have a policy.

    Raises:
        PolicyError: the policy was made for this client (`l0.wrap`), so the fallback never serves.
    """
    usable = tuple(leg for leg in policy.legs if leg.client is None or serves(leg.client))
    if len(usable) == len(policy.legs):
        return policy, ()
    skipped: list[str] = []
    for leg in policy.legs:
        if leg in usable:
            continue
        error = PolicyError("Fallback.client", leg.client, allowed)
        if policy is getattr(client, OWN_POLICY, None) and policy.mode == "active":
            raise error
        skipped.append(str(error))
        text = f"{error}; other calls skip this fallback"
        if text not in _logged:
            _logged.add(text)
            _log.warning("%s", text)
    return replace(policy, fallback=usable), tuple(skipped)


def without_models(policy: Policy) -> tuple[Policy, tuple[str, ...]]:
    """Return the policy of a call whose body is not a JSON object, without the fallbacks to another model, and the
    reason why each of these is left out: L0 cannot replace the model in such a body."""
    models = [leg.model for leg in policy.legs if leg.model is not None]
    if not models:
        return policy, ()
    usable = tuple(leg for leg in policy.legs if leg.model is None)
    return replace(policy, fallback=usable), tuple(_NO_MODEL.format(model=model) for model in models)
