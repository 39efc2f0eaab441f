"""Random input: policies, scripts of faults, and the places of calls."""

from hypothesis import strategies as st

import l0
from l0.simulator.answers import Answer
from l0.simulator.faults import Fault

ANSWERS = {
    "primary": Answer(
        text="The tide forgets the names we wrote,\n\nthe gulls forget  the shore; and so do we, at last."
    ),
    "second": Answer(
        text="A harbour wakes before its town does: boats leave in single file, with all of their lamps lit."
    ),
    "third": Answer(
        text="Now it is quiet again; nobody counts the crates, the prices or the weather until the morning."
    ),
}
"""The answer of each model. No two begin alike, so that a text is the beginning of one of them at most."""

LIMITS = l0.Timeout(initial_token=120, inter_token=120)
_PLACES = st.integers(0, 30)
_PLACED = st.sampled_from(
    [Fault.cut, Fault.clean_end, Fault.reset, Fault.malformed, Fault.in_band_error, Fault.invalid_utf8, Fault.stall]
)
_WHOLE = st.sampled_from(
    [
        Fault.status(503),
        Fault.status(500),
        Fault.status(429, {"retry-after-ms": "1"}),
        Fault.status(429, {"retry-after": "3600"}),
        Fault.status(401),
        Fault.status(400),
        Fault.refuse("fin"),
        Fault.refuse("rst"),
        Fault.empty(),
        Fault.html(),
        Fault.done_only(),
        Fault.no_terminal(),
        Fault.bytewise(),
        Fault.starts_over(),
        Fault.repeats_overlap(40),
        Fault(),
    ]
)
scripts = st.lists(_WHOLE | st.builds(lambda make, at: make(at_event=at), _PLACED, _PLACES), max_size=7)
"""The faults of the requests of one call, in order; all that follow are healthy."""

_RETRIES = st.none() | st.builds(
    l0.Retry, attempts=st.integers(0, 2), max_retries=st.integers(0, 3), base_delay=st.just(0.0)
)
_HOLDS = st.sampled_from(
    [l0.Hold(), l0.Hold(), l0.Hold(frames=1), l0.Hold(until="message"), l0.Hold(until="verified", window=16)]
)
policies = st.builds(
    l0.Policy,
    timeout=st.just(LIMITS),  # a script may be silent for an hour
    retry=_RETRIES,
    truncation=st.sampled_from(["strict", "strict", "warn", "off"]),
    order=st.sampled_from(["evidence", "evidence", "strict", "off"]),
    hold=_HOLDS,
    fallback=st.sampled_from([(), (), ("second",), ("second", "third")]).map(
        lambda models: tuple(l0.Fallback(model=model) for model in models)
    ),
    resume=st.sampled_from(["off", "exact", "exact", "prefill", "splice"]),
    budget=st.booleans(),
    breaker=st.booleans(),
    adaptive=st.booleans(),
    hedge=st.sampled_from([False, False, l0.Hedge(after=20)]),
)
