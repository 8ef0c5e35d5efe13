"""Documents of the stories, as Flagman would write them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.resume_hints import Hints
from supervisor.core.events import Event
from supervisor.core.persona import Persona
from supervisor.core.text.masking import Masker
from supervisor.session_log.render.document import FORMAT, render
from supervisor.session_log.render.mask import masked_events, masked_persona
from supervisor.session_log.signing import sign
from tests.session_log.story import Story

SID = "ab12-cd34"
KEY, OLD_KEY = "a-key-for-tests-only-0123456789abcdef", "an-older-key-for-tests-0123456789abcdef"


def written(
    persona: Persona,
    events: Sequence[Event],
    *,
    session_id: str = SID,
    mask: Masker = Masker(),  # noqa: B008  it has no state
    keys: Sequence[str] = (KEY,),
    command: str = "/agent",
    version: int = FORMAT,
) -> str:
    masked = masked_events(events, mask)
    return render(
        session_id,
        masked_persona(persona, mask),
        masked,
        lambda chain: sign(chain, keys),
        Hints(command),
        version,
    )


def document(story: Story, command: str = "/agent") -> str:
    return written(story.persona, story.events, command=command)


def body(text: str) -> str:
    """Without the appendix."""
    return text.partition("\n## Appendix: events\n")[0]
