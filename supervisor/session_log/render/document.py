"""Renders the SESSION_LOG as a pure function of a session's id, persona, events (secrets masked) and resume hints."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from supervisor.core.events import Event
from supervisor.core.messages import Json
from supervisor.core.state import Session
from supervisor.core.text.format import iso
from supervisor.core.text.visible import fold_blanks, visible
from supervisor.session_log.hints import ResumeHints
from supervisor.session_log.render import appendix
from supervisor.session_log.render.labels import is_unpriced
from supervisor.session_log.render.moments import rests, walk
from supervisor.session_log.render.progress import current_step, percent
from supervisor.session_log.render.safe import BLANK, one_line
from supervisor.session_log.render.summary import summary
from supervisor.session_log.render.tables import artifacts, calls, children, costs, decisions
from supervisor.session_log.render.timeline import timeline

# To be raised with every change of the rendered text, so that verification does not report older documents as changed.
# Earlier ones are still rendered, for comparison: format 1 marked fewer characters than `core/text` does, and format 2
# gave the current step by the budget of steps, and neither the decisions of the agent, the files nor what to verify.
# Up to format 3 there were other words for why a session waits than everywhere else.
FORMAT = 4
COMPARABLE = (1, 2, 3, 4)
Sign = Callable[[str], str]


def render(
    session_id: str,
    persona: Json,
    events: Sequence[Event],
    sign: Sign,
    hints: ResumeHints,
    version: int = FORMAT,
) -> str:
    """Return the document in a format of COMPARABLE. `sign` signs the chain, `hints` say how to resume.

    Raises IllegalEvent where the events contradict each other.
    """
    moments = walk(session_id, events)
    links = list(appendix.chain_links(appendix.head(session_id, persona, version, hints.settings), events))
    chain = f"sha256:{links[-1].hash}"
    resting = rests(moments)
    session = moments[-1].after
    lines = [
        "---",
        *(f"{name}: {value}" for name, value in front_matter(session, links, sign(chain), version)),
        "---",
        "",
        f"# SESSION_LOG {session_id}",
        "",
        *summary(moments, resting, persona, hints, version),
        *decisions(moments, noted=version > 2),
        *calls(moments),
        *children(session),
        *(artifacts(session) if version > 2 else ()),
        *timeline(moments, resting, hints, version),
        "",
        *costs(moments),
    ]
    shown = _without_gaps(lines)
    if version > 1:
        shown = [fold_blanks(line) for line in shown]
    return "\n".join([*shown, *appendix.lines(links, version)]) + "\n"


def front_matter(
    session: Session, links: Sequence[appendix.Link], signature: str, version: int
) -> list[tuple[str, str]]:
    """Return the names and values of the front matter as YAML, with texts of others quoted."""

    def _text(value: str) -> str:
        flat = one_line(value, 200)
        return json.dumps(visible(flat) if version > 1 else flat, ensure_ascii=False)

    usage, cost = session.total_usage, session.total_cost_usd
    models = list(dict.fromkeys(step.model for step in session.steps))
    rows: list[tuple[str, Any]] = [
        ("session_log", version),
        ("session", _text(session.id)),
        ("session_date", iso(session.launched_at)),
        ("changed", iso(session.changed_at)),
        ("persona", _text(session.persona)),
        ("status", session.status),
        ("waiting_for", session.waiting_for),
        ("progress_percent", percent(session) if version > 2 else None),
        ("current_step", _text(current_step(session)) if version > 2 and not session.ended else None),
        ("model", _text(", ".join(models) or "none yet")),
        ("cost_usd", f"{cost:f}"),
        ("unpriced", "true" if is_unpriced(session) else None),
        ("steps", len(session.steps)),
        ("tokens", usage.input_tokens + usage.output_tokens),
        ("launched_by", _text(session.launched_by)),
        ("launched_by_name", _text(session.launched_by_name) if session.launched_by_name else None),
        ("parent", _text(session.lineage.parent) if session.lineage else None),
        ("root", _text(session.root) if session.lineage else None),
        ("forked_from", _text(f"{session.forked.source}") if session.forked else None),
        ("forked_at_step", session.forked.step if session.forked else None),
        ("restored_at", iso(session.restored_at) if session.restored_at else None),
        ("events", len(links) - 1),
        ("chain", f"sha256:{links[-1].hash}"),
        ("signature", signature),
    ]
    return [(name, str(value)) for name, value in rows if value is not None]


def _without_gaps(lines: Sequence[str]) -> list[str]:
    """Return the lines without repeated empty lines, except those inside of contents (`BLANK`)."""
    kept = [line for n, line in enumerate(lines) if line or (n and lines[n - 1])]
    return ["" if line.strip() == BLANK else line for line in kept]
