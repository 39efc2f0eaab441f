"""Decide how a stream without its terminal event is treated."""

from __future__ import annotations

from l0.config import CONFIG
from l0.model.call import TerminalRule
from l0.model.inference_request import InferenceRequest
from l0.model.policy import Policy
from l0.shared_state.terminal_event_sources import StreamSource

from .addresses import Address


def terminal_rule(policy: Policy, address: Address, inference: InferenceRequest) -> TerminalRule:
    """Return the policy's rule for streams from an address; else the rule for what the source is known to send."""
    mode = None if policy.truncation is None else policy.truncation_at(address.base)
    if mode is not None:
        return TerminalRule(address.origin, {"strict": True, "warn": False, "off": None}[mode])
    source = StreamSource(address.source, inference.dialect, inference.model)
    return TerminalRule(address.origin, inference.certain or CONFIG.shared_state.terminal_event_sources.known(source))
