"""Tells when a request is made whether enough people could approve it, so that it does not wait for ever unseen."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable

from supervisor.core.commands.approvals import Rejudge
from supervisor.core.conditions import Condition
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Actor
from supervisor.core.events.base import APPROVAL, workspace_of
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers, Persona
from supervisor.core.policy import approvers_of_pause
from supervisor.core.state import Session

# A click is answered within three seconds in all.
PATIENCE_SECONDS = 1.5
FRESH_SECONDS, MOST_KEPT = 60.0, 1000
# After an answer that took so long and did not come, nothing is asked for a while.
SLOW_SECONDS, QUIET_SECONDS = 1.0, 10.0
# How many people of a workspace could approve by a rule, without those left out. Raises FlagmanError where that is not
# known.
Reach = Callable[[Approvers, Collection[str], str], Awaitable[int]]
_log = logging.getLogger("flagman.quorum")


async def unlimited(rule: Approvers, without: Collection[str], workspace: str) -> int:
    """The default of `Quorum`: there are enough people for every rule."""
    return rule.quorum


class Quorum:
    """Compares what rules take with the people that there are."""

    def __init__(self, reach: Reach = unlimited) -> None:
        self._reach = reach
        self._quiet_until = 0.0
        # When there were enough people for a rule without these.
        self._enough: dict[tuple[Approvers, frozenset[str], str], float] = {}

    async def too_few(
        self, session: Session, rules: Iterable[Approvers], excluded: Callable[[Approvers], Collection[str]]
    ) -> bool:
        """Whether fewer people could approve by one of the rules than it takes; False where that is not known.

        `excluded` are those who may not approve by a rule, besides the requesters of the session.
        """
        began = time.monotonic()
        if began < self._quiet_until:
            return False
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                for rule in rules:
                    without = (
                        session.requesters.union(excluded(rule)) if rule.exclude_requester else frozenset()
                    )
                    if rule.named and not await self._has_enough(rule, without, workspace_of(session.origin)):
                        return True
        except (FlagmanError, TimeoutError) as error:
            _log.info("session %s: it is not known whether enough people can approve: %r", session.id, error)
            if time.monotonic() - began > SLOW_SECONDS:
                # A request of many calls must not wait for each of them.
                self._quiet_until = time.monotonic() + QUIET_SECONDS
        return False

    async def _has_enough(self, rule: Approvers, without: frozenset[str], workspace: str) -> bool:
        """Whether there are enough people; that there are counts for a minute, so that few questions are asked."""
        key, now = (rule, without, workspace), time.monotonic()
        if now - self._enough.get(key, -FRESH_SECONDS) < FRESH_SECONDS:
            return True
        if await self._reach(rule, without, workspace) < rule.quorum:
            return False
        if len(self._enough) >= MOST_KEPT:
            self._enough.clear()
        self._enough[key] = now
        return True

    async def too_few_after(
        self, session: Session, call_id: str, arguments: Json, actor: Actor, rejudge: Rejudge
    ) -> bool:
        """As `too_few`, for a call as an edit would leave it; False where it leaves none."""
        try:
            call = session.call(call_id)
            changed = call.model_copy(update={"call": rejudge(call.call, arguments), "editors": actor.ids})
        except FlagmanError:
            return False
        return await self.too_few(session, changed.call.rules, changed.excluded)

    async def of_pause(
        self,
        session: Session,
        load: Callable[[Session], Awaitable[Persona]],
        actor: Actor,
        conditions: Iterable[Condition],
    ) -> tuple[tuple[Approvers, ...], bool]:
        """The rules about who ends a pause by `actor` until an approval, and whether too few people could.

        There are none without such a condition. `load` reads the persona of the session.
        """
        if all(condition.type != APPROVAL for condition in conditions):
            return (), False
        rules = approvers_of_pause(await load(session))
        return rules, await self.too_few(session, rules, lambda _: session.steered_by | actor.ids)
