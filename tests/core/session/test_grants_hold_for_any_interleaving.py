"""The same, with few tools and many grants: no grant allows what who made it could not approve alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import event as seen
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from tests.core.session.test_invariants_hold_for_any_interleaving import Deed, Interleaving, one_in
from tests.core.world import Work
from tests.examples import examples

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("change", {}),
    ("change", {"b": 1}),
    ("rotate", {}),
    ("ask_gently", {}),
    *(("ship", {"to": where}) for where in ("here", "there", "prod", "safe", "dev", "moon")),
]
WORK = st.builds(
    Work,
    number=st.integers(0, 1),
    proposed=st.lists(st.sampled_from(CALLS), min_size=1, max_size=3).map(tuple),
    tokens=st.just(1),
    cost=st.just(Decimal(0)),
    dies=one_in(12),
    reads=st.booleans(),
    lingers=one_in(4),
    ok=st.just(True),
    pick=st.integers(0, 3),
)
DEEDS = st.builds(
    Deed,
    what=st.sampled_from(
        ["allow"] * 6 + ["help"] * 3 + ["nothing"] * 3 + ["revoke", "decide", "add_context"]
    ),
    person=st.integers(0, 4),
    pick=st.integers(0, 3),
    anywhere=one_in(8),
    verdict=st.integers(0, 9),
    how=st.just("digest"),
    arguments=st.integers(0, 5),
)


class Granting(Interleaving):
    @rule(deed=DEEDS, work=WORK)
    def moment(self, deed: Deed, work: Work) -> None:
        getattr(self, deed.what)(deed)
        self.world.works(work)

    @invariant()
    def some_calls_are_granted(self) -> None:
        if any(known.granted for known in self.world.oracle.calls.values()):
            seen("a call was granted")


TestGranting = Granting.TestCase
TestGranting.settings = settings(
    max_examples=examples(30),
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
