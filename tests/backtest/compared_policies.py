"""The policies that are backtested, and then really run."""

from l0.model.policy import Hedge, Policy, Retry, Timeout

_QUICK = Retry(max_retries=3, base_delay=0.2)
POLICIES = {
    "no retries": Policy(retry=Retry(max_retries=0)),
    "hedge by quantile": Policy(retry=_QUICK, hedge=True),
    "gaps 150 ms, held": Policy(timeout=Timeout(initial_token=None, inter_token=150), retry=_QUICK, hold="message"),
    "retry budget": Policy(timeout=Timeout(initial_token=1000, inter_token=None), retry=_QUICK, budget=True),
    "first content 1 s": Policy(timeout=Timeout(initial_token=1000, inter_token=None), retry=_QUICK),
    "hedge after 800 ms": Policy(retry=_QUICK, hedge=Hedge(after=800)),
    "total 3 s": Policy(timeout=Timeout(initial_token=None, inter_token=None, total=3000), retry=_QUICK),
    "first content 2 s, 6 retries": Policy(timeout=Timeout(initial_token=2000, inter_token=None), retry=Retry()),
    "whole answers held": Policy(retry=_QUICK, hold="message"),
    "truncation accepted": Policy(retry=_QUICK, truncation="warn"),
}
