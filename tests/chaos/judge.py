"""Judges a campaign: effects against approvals, and what the API and Slack show against both. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace

from tests.chaos.record import Act, Effect

ENDED = ("completed", "failed", "cancelled")
APPROVE = ("call_approve", "call_approve_all", "call_deny", "call_deny_all", "call_edit")
OUTCOME = ("outcome_run_again", "outcome_done", "outcome_failed")
GO_ON = (
    "session_more",
    "session_pause",
    "session_resume",
    "session_resume_with",
    "session_compact",
    "session_cancel",
)


@dataclass(frozen=True)
class Planned:
    """A session that a person asked for, with the marks of the calls that its agent will propose."""

    mark: str
    calls: tuple[str, ...]


@dataclass(frozen=True)
class CallSeen:
    """A call without a result, as the API shows it."""

    mark: str
    call_id: str
    phase: str


@dataclass(frozen=True)
class SessionSeen:
    """A session as the API shows it."""

    mark: str
    id: str
    status: str
    waiting_for: str
    calls: tuple[CallSeen, ...] = ()


@dataclass(frozen=True)
class Button:
    """A live button: its action, and the calls that its value names."""

    action: str
    call_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class MessageSeen:
    """A message of the bot; `key` is what Flagman calls it in its metadata, `body` all that it says."""

    session_id: str
    key: str
    body: str
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True)
class Whisper:
    """What only `who` saw in the thread of a session: the refusal of a click."""

    session_id: str
    who: str


@dataclass(frozen=True)
class World:
    """All that is known at one moment."""

    planned: Sequence[Planned]
    acts: Sequence[Act]
    effects: Sequence[Effect]
    sessions: Sequence[SessionSeen]
    messages: Sequence[MessageSeen]
    whispers: Sequence[Whisper] = ()


@dataclass
class Findings:
    """What broke, a sentence each; `exits` are processes that ended by themselves."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    unconverged: list[str] = field(default_factory=list)
    unapproved: list[str] = field(default_factory=list)
    exits: list[str] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return any(getattr(self, row.name) for row in fields(self))

    def counts(self) -> str:
        return ", ".join(f"{row.name} {len(getattr(self, row.name))}" for row in fields(self))

    def sentences(self) -> Iterator[str]:
        for row in fields(self):
            yield from (f"{row.name}: {sentence}" for sentence in getattr(self, row.name))


def judge(world: World) -> Findings:
    """Everything that is not as it has to be, now that all faults are over."""
    found = Findings()
    facts = _Facts(world)
    sessions = {seen.mark: seen for seen in world.sessions}
    for planned in world.planned:
        session = sessions.get(planned.mark)
        if session is None:
            if any(a.kind == "launch" and a.answer == "acknowledged" for a in facts.acts[planned.mark]):
                found.lost.append(f"session {planned.mark} was launched and is not there")
            continue
        for mark in planned.calls:
            _judge_call(_Case(facts, session, mark), found)
        _judge_session(facts, session, planned, found)
    known = {mark for planned in world.planned for mark in planned.calls}
    for mark in sorted(facts.effects.keys() - known):
        found.unapproved.append(f"{mark} ran, and no session was asked for it")
    return found


class _Facts:
    """The world by the marks of calls and sessions, and its messages by session."""

    def __init__(self, world: World) -> None:
        refused = {(whisper.session_id, whisper.who) for whisper in world.whispers}
        self.acts: defaultdict[str, list[Act]] = defaultdict(list)
        for act in world.acts:
            # Slack acknowledges also a click that is refused; its person is told apart.
            doubtful = act.via == "slack" and (act.session_id, act.who) in refused
            self.acts[act.mark].append(replace(act, answer="unanswered") if doubtful else act)
        self.effects: defaultdict[str, list[Effect]] = defaultdict(list)
        for effect in world.effects:
            self.effects[effect.mark].append(effect)
        self.messages: defaultdict[str, list[MessageSeen]] = defaultdict(list)
        for message in world.messages:
            self.messages[message.session_id].append(message)


class _Case:
    """One call: its acts, its effects and how it stands."""

    def __init__(self, facts: _Facts, session: SessionSeen, mark: str) -> None:
        self.mark, self.session = mark, session
        decisions = [act for act in facts.acts[mark] if act.kind == "decision"]
        self.told = {act.verdict for act in decisions if act.answer == "acknowledged"}
        self.told |= {act.told for act in decisions if act.told}
        self.attempted = {act.verdict for act in decisions if act.answer != "refused"} | self.told
        outcomes = [a for a in facts.acts[mark] if a.kind == "outcome" and a.answer != "refused"]
        # When people first asked for a run, and for each further one.
        self.asked = [min((act.at for act in decisions if act.verdict == "approve"), default=0.0)]
        self.asked += sorted(act.at for act in outcomes if act.verdict == "run_again")
        self.again = len(self.asked) - 1
        self.settled = len(outcomes) > self.again
        self.forms = {act.form for act in decisions if act.verdict == "approve"}
        self.ran_as = {effect.form for effect in facts.effects[mark]}
        self.began = sorted(effect.at for effect in facts.effects[mark] if effect.what == "begin")
        self.begins = len(self.began)
        self.ends = sum(effect.what == "end" for effect in facts.effects[mark])
        self.phase = next((call.phase for call in session.calls if call.mark == mark), "")


def _judge_call(case: _Case, found: Findings) -> None:
    mark = case.mark
    if case.told >= {"approve", "deny"}:
        found.lost.append(f"{mark} was said to be approved and to be denied")
    if case.begins and "deny" in case.told:
        found.unapproved.append(f"{mark} was denied and ran")
    elif case.begins and "approve" not in case.attempted:
        found.unapproved.append(f"{mark} ran, and nobody approved it")
    elif any(began < asked for began, asked in zip(case.began, case.asked, strict=False)):
        found.unapproved.append(f"{mark} ran before a person asked for it")
    elif case.ran_as - case.forms:
        found.unapproved.append(f"{mark} did not run as it was approved")
    if case.begins > 1 + case.again:
        found.doubled.append(
            f"{mark} began {case.begins} times; a person said “run again” {case.again} times"
        )
    if case.session.status == "completed" and not case.attempted:
        found.lost.append(f"{mark} was never asked for, and {case.session.id} is completed")
    if "approve" not in case.told or case.settled or case.phase == "unknown":
        return
    if not case.begins:
        found.lost.append(f"{mark} was approved and did not run ({case.phase or 'no longer open'})")
    elif not case.ends and case.phase != "started":
        found.lost.append(f"{mark} was approved, began and never ended, and nobody was asked")


def _judge_session(facts: _Facts, session: SessionSeen, planned: Planned, found: Findings) -> None:
    messages = facts.messages[session.id]
    name = f"{session.mark} ({session.id})"
    for key, count in Counter(message.key for message in messages).items():
        if count > 1:
            found.unconverged.append(f"{name}: {key} stands {count} times")
    if not any(message.key == "card" for message in messages):
        found.unconverged.append(f"{name}: has no card")
    live: defaultdict[str, set[str]] = defaultdict(set)
    for message in messages:
        for button in message.buttons:
            live[button.action].add(message.key)
    if session.status in ENDED:
        if not any(message.key == "end" for message in messages):
            found.unconverged.append(f"{name}: is {session.status}, and no message says so")
        if left := sorted(action for action in live if action in GO_ON):
            found.unconverged.append(f"{name}: is {session.status}, with the buttons {', '.join(left)}")
    elif session.status != "paused" or not session.waiting_for:
        found.stuck.append(f"{name}: is {session.status} and waits for nothing")
    elif not _needs_person(facts, session, live):
        found.stuck.append(f"{name}: waits for {session.waiting_for}, and nobody is asked for anything")
    found.unconverged += [f"{name}: {sentence}" for sentence in _requests(facts, session, planned)]


def _needs_person(facts: _Facts, session: SessionSeen, live: dict[str, set[str]]) -> bool:
    """Whether something waits for a person that no person has settled, and the thread shows it."""
    open_ = [_Case(facts, session, call.mark) for call in session.calls if call.phase == "awaiting"]
    if any(not case.told for case in open_):
        return bool(live["call_approve"])
    if any(call.phase == "unknown" for call in session.calls):
        return bool(live["outcome_run_again"])
    if session.waiting_for == "error_threshold_exceeded":
        return any(key.startswith("halt:") for key in live["session_resume"])
    return False


def _requests(facts: _Facts, session: SessionSeen, planned: Planned) -> Iterator[str]:
    """Each call has one request, with live buttons as long as it waits, and only then."""
    messages = facts.messages[session.id]
    phases = {call.call_id: call.phase for call in session.calls}
    shown: defaultdict[tuple[str, str], int] = defaultdict(int)
    for message in messages:
        for kind, actions in (("approval", APPROVE), ("outcome", OUTCOME)):
            for call_id in {i for b in message.buttons if b.action in actions for i in b.call_ids}:
                # The card repeats the buttons of a call that waits.
                shown[kind, call_id] += message.key != "card" or phases.get(call_id) != "awaiting"
    for kind, phase in (("approval", "awaiting"), ("outcome", "unknown")):
        waiting = {call_id for call_id, now in phases.items() if now == phase}
        for call_id in sorted(waiting | {i for k, i in shown if k == kind}):
            if shown[kind, call_id] != int(call_id in waiting):
                wanted = "one" if call_id in waiting else "no"
                yield f"{call_id} has {shown[kind, call_id]} messages with {kind} buttons, not {wanted}"
    decided = {mark for mark in planned.calls if any(a.kind == "decision" for a in facts.acts[mark])}
    for mark in sorted(decided | {call.mark for call in session.calls if call.phase == "awaiting"}):
        count = sum(m.key.startswith("ask:") and mark in m.body for m in messages)
        if count != 1:
            yield f"{mark} has {count} request messages"
