"""The timeline: steps of the agent with its calls, messages and decisions of people, and pauses, in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from supervisor.core.events import Event, ModelResponded, ToolFinished, ToolStarted
from supervisor.core.text.format import money, stamp, took
from supervisor.session_log.hints import ResumeHints
from supervisor.session_log.render.blocks import Lines, indent, prose
from supervisor.session_log.render.calls import arguments, call_name, digest, policy_reason
from supervisor.session_log.render.checkpoint import checkpoint, waits
from supervisor.session_log.render.entries import entry
from supervisor.session_log.render.labels import person, tokens, unusual_end, waiting
from supervisor.session_log.render.moments import Moment, PausePeriod
from supervisor.session_log.render.safe import code

HEADING = "## Timeline"


def timeline(
    moments: Sequence[Moment], rests: Sequence[PausePeriod], hints: ResumeHints, version: int
) -> Lines:
    """Return the section, with a checkpoint for each pause."""
    resting = {rest.n: rest for rest in rests}
    written: Lines = [HEADING, "", "All times are UTC.", ""]
    day = ""
    for moment, following in zip(moments, [*moments[1:], None], strict=True):
        if _at_once(moment.event, following.event if following else None):
            continue
        today = f"{moment.event.at.astimezone(UTC):%Y-%m-%d}"
        if isinstance(moment.event, ModelResponded):
            written += ["", *_step(moment.n, moment.event, len(moment.after.steps)), ""]
        else:
            written += _entry(moment, today if today != day else "")
        day = today
        if rest := resting.get(moment.n):
            written += _rest(rest, hints, version, last=moment is moments[-1])
    standing = [rest for rest in rests if rest.ended is None and rest.n < len(moments)]
    return [*written, *(line for rest in standing for line in ("", *checkpoint(rest, hints, version), ""))]


def _at_once(event: Event, then: Event | None) -> bool:
    """Return whether `event` is the start of a call whose end follows at once, so that it needs no entry."""
    if not isinstance(event, ToolStarted) or not isinstance(then, ToolFinished):
        return False
    return event.attempt == 1 and then.call_id == event.call_id


def _rest(rest: PausePeriod, hints: ResumeHints, version: int, *, last: bool) -> Lines:
    """Return the checkpoint of a pause, one line for a brief one, or a reference to the checkpoint at the end."""
    if rest.brief:
        return [f"- Still {waiting(rest.reason, version)}: {waits(rest.session)}"]
    if rest.ended is None and not last:
        return [f"- From here on {waiting(rest.reason, version)}: Pause Checkpoint {rest.number}, below"]
    return [
        "",
        *checkpoint(rest, hints, version),
        "",
        *([] if last else [f"### After pause {rest.number}", ""]),
    ]


def _step(n: int, event: ModelResponded, number: int) -> Lines:
    """Return the section of a step: the answer of the model, and the calls that it proposed."""
    if event.model == "given":
        how = f"{person(event.by, event.by_name)} gave the plan."
    else:
        price = "for a price that is not known" if event.cost_usd is None else f"for {money(event.cost_usd)}"
        how = f"{code(event.model, 80)} answered in {took(event.duration_ms)} with {tokens(event.usage)} {price}."
        if end := unusual_end(event.stop_reason):
            how += f" Its stop reason: {code(end, 60)}."
    written = [f"### Step {number} · {stamp(event.at)} UTC", "", how, ""]
    if event.text.strip():
        written += [*prose(event.text, n), ""]
    for call in event.calls:
        head = (
            f"- Proposed {call_name(call.call_id, call.tool)} · {digest(call.digest)} · {policy_reason(call)}"
        )
        written += [head, "", *indent(arguments(call.arguments, n)), ""]
    return written


def _entry(moment: Moment, day: str) -> Lines:
    """Return one list item with its blocks; `day` is empty if the item before has the same date."""
    said = entry(moment)
    clock = stamp(moment.event.at) if day else f"{moment.event.at.astimezone(UTC):%H:%M:%S}"
    written = [f"- `{clock}` {said.words}"]
    for block in said.blocks:
        written += ["", *indent(block)]
    return [*written, ""] if said.blocks else written
