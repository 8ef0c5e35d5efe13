"""Who changes a call decides on it as far as the policy lets that person; all at once, by the real store."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from storage.log import LogStore
from supervisor.core.commands.approvals import Seen
from supervisor.core.errors import (
    AlreadyDecided,
    CallChanged,
    FlagmanError,
    NotAllowed,
)
from supervisor.core.events import (
    Actor,
    ApprovalRequested,
    CallEdited,
    Event,
    ToolCall,
)
from supervisor.core.messages import Json
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.personas.library import PersonaLibrary
from supervisor.repository import Sessions
from supervisor.service import Supervisor
from tests.core.build import (
    ALICE,
    AT,
    BOB,
    CAROL,
    DAN,
    by,
    responded,
)
from tests.core.edits import PERSONA, TOOLS, proposed
from tests.support.personas import Fixed
from tests.support.seen import seen_now

OTHER: Json = {"command": "ls -l"}


async def standing(redis: Redis, *calls: ToolCall) -> tuple[Supervisor, str]:
    """A session that ALICE launched, whose calls wait."""
    log = LogStore(redis)
    supervisor = Supervisor(Sessions(log), PersonaLibrary(Fixed({"p": PERSONA}), log), TOOLS, lambda: AT)
    before = await supervisor.launch("p", "Tidy up", ALICE)
    asked: list[Event] = [
        responded(*calls),
        ApprovalRequested(**by(), request_id="r2", call_ids=tuple(c.call_id for c in calls)),
    ]
    await supervisor.sessions.append(before, fold(before.id, asked, before), asked)
    return supervisor, before.id


async def approved(supervisor: Supervisor, session_id: str, who: Actor) -> Session:
    seen = await seen_now(supervisor, session_id)
    return await supervisor.decide(session_id, "1.1", "approve", who, seen=seen)


async def edited(supervisor: Supervisor, session_id: str, arguments: Json, who: Actor) -> Session:
    seen = await seen_now(supervisor, session_id)
    return await supervisor.edit(session_id, "1.1", arguments, who, seen=seen)


async def test_who_changes_it_has_approved_it(redis: Redis) -> None:
    supervisor, session_id = await standing(redis, proposed())
    after = await edited(supervisor, session_id, {"command": "ls -l"}, BOB)
    assert after.call("1.1").phase == "approved"
    assert [d.by for d in after.call("1.1").decisions] == [BOB.id]


async def test_what_is_for_others_to_approve_waits_for_them(redis: Redis) -> None:
    supervisor, session_id = await standing(redis, proposed())
    after = await edited(supervisor, session_id, {"command": "reboot"}, BOB)
    assert (after.call("1.1").phase, len(after.call("1.1").decisions)) == ("awaiting", 1)
    with pytest.raises(NotAllowed, match="You requested this session"):
        await approved(supervisor, session_id, ALICE)
    done = await approved(supervisor, session_id, CAROL)
    assert done.call("1.1").phase == "approved"


async def test_who_may_not_approve_the_other_arguments_only_changes_them(redis: Redis) -> None:
    supervisor, session_id = await standing(redis, proposed("write", a=1))
    # Anyone may decide on `write`; the requester may make it something for others no more than for herself.
    after = await edited(supervisor, session_id, {"a": 2}, ALICE)
    assert after.call("1.1").phase == "approved"
    supervisor, session_id = await standing(redis, proposed(command="reboot"))
    after = await edited(supervisor, session_id, {"command": "ls"}, DAN)
    assert (after.call("1.1").phase, after.call("1.1").decisions) == ("awaiting", ())
    assert after.call("1.1").edited_by == DAN.id
    with pytest.raises(NotAllowed, match="Ask U2"):
        await approved(supervisor, session_id, DAN)


async def test_unchanged_arguments_are_a_plain_approval(redis: Redis) -> None:
    supervisor, session_id = await standing(redis, proposed())
    after = await edited(supervisor, session_id, {"command": "ls"}, BOB)
    assert (after.call("1.1").phase, after.call("1.1").proposed) == ("approved", None)
    assert not any(isinstance(e, CallEdited) for e in await supervisor.sessions.events(session_id))


async def test_what_somebody_saw_before_the_change_decides_nothing(redis: Redis) -> None:
    supervisor, session_id = await standing(redis, proposed(command="reboot"))
    seen = await seen_now(supervisor, session_id)
    await supervisor.edit(session_id, "1.1", {"command": "reboot", "now": True}, BOB, seen=seen)
    for attempt in (
        supervisor.decide(session_id, "1.1", "approve", CAROL, seen=seen),
        supervisor.decide(session_id, "1.1", "deny", CAROL, seen=Seen(seen.digest)),
        supervisor.edit(session_id, "1.1", {"command": "ls"}, CAROL, seen=seen),
    ):
        with pytest.raises(CallChanged, match="changed, or asked about again"):
            await attempt


async def test_a_refused_change_leaves_the_call_as_it_was(redis: Redis) -> None:
    supervisor, session_id = await standing(redis, proposed())
    before = await supervisor.get(session_id)
    for arguments, who in (({"command": "rm x"}, BOB), ({}, BOB), (OTHER, CAROL), (OTHER, ALICE)):
        with pytest.raises(FlagmanError):
            await edited(supervisor, session_id, arguments, who)
    assert await supervisor.get(session_id) == before


async def test_of_an_approval_and_a_change_at_once_one_counts(redis: Redis) -> None:
    for _ in range(5):
        supervisor, session_id = await standing(redis, proposed("write", a=1))
        seen = await seen_now(supervisor, session_id)
        results = await asyncio.gather(
            supervisor.decide(session_id, "1.1", "approve", BOB, seen=seen),
            *(
                supervisor.edit(session_id, "1.1", {"a": n}, who, seen=seen)
                for n, who in enumerate((ALICE, CAROL, DAN), start=2)
            ),
            return_exceptions=True,
        )
        won = [r for r in results if isinstance(r, Session)]
        assert len(won) == 1
        assert all(isinstance(r, AlreadyDecided | CallChanged) for r in results if r is not won[0])
        assert await supervisor.get(session_id) == won[0]
        assert won[0].call("1.1").phase == "approved"
