"""Two workers and five people at one session, in any order: at any moment its document verifies and gives it back."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant

from bot.resume_hints import hints_of
from supervisor.core.events import SessionRestored, decode
from supervisor.core.reducer import fold
from supervisor.core.text.masking import Masker
from supervisor.session_log.render.mask import masked_events
from supervisor.session_log.verify import verify
from tests.core.build import ALICE, SID, by
from tests.core.session.test_invariants_hold_for_any_interleaving import Interleaving as Machine
from tests.core.world import PERSONA
from tests.examples import examples
from tests.session_log.written import KEY, written

# What SessionRestored itself changes.
BUT_FOR = {"version": 0, "changed_at": None, "restored_at": None}


class Recorded(Machine):
    """As the invariants of the core, with a document after every move."""

    def __init__(self) -> None:
        super().__init__()
        self.written_at = 0

    @invariant()
    def its_document_gives_it_back(self) -> None:
        session = self.world.session
        if session.version == self.written_at:
            return
        self.written_at = session.version
        events = [decode(SID, n, data) for n, data in enumerate(self.world.log)]
        text = written(PERSONA, events, session_id=SID)
        found = verify(text.encode(), [KEY], hints_of)
        assert list(found.events) == list(masked_events(events, Masker())) == events
        assert found.session == session
        restored = SessionRestored(**by(ALICE, self.world.clock), chain=found.chain)
        again = fold(SID, [*found.events, restored])
        # What was about to run may have run since; everything else comes back as it was.
        unsure = [
            c for c in session.calls_in("ready", "approved") if not c.call.idempotent and not session.ended
        ]
        assert all(again.call(c.call_id).phase == "unknown" for c in unsure)
        assert unsure or again.model_copy(update=BUT_FOR) == session.model_copy(update=BUT_FOR)
        assert written(PERSONA, found.events, session_id=SID) == text


TestRecorded = Recorded.TestCase
TestRecorded.settings = settings(
    max_examples=examples(8),
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
