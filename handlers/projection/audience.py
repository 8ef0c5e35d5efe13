"""Who has to see a request: whether somebody may decide where it stands, and who else is asked."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.directory import SlackDirectory
from handlers.messages.message import Message
from handlers.origin import Place
from handlers.projection.refusals import RETRY_SECONDS, RetryLater
from supervisor.core.errors import FlagmanError
from supervisor.core.persona import Approvers
from supervisor.core.state import Call, Session

# How many people are asked for one rule where its quorum needs no more, and how many are known to ask instead of them.
MOST_ASKED, SPARE = 5, 5


@dataclass(frozen=True)
class Asked:
    """The people to ask for one rule, in this order, until `most` have been."""

    people: tuple[str, ...]
    most: int


@dataclass(frozen=True)
class Reach:
    """`here`: whether somebody who sees the place may decide; `asked` are those to be asked besides."""

    here: bool = True
    asked: tuple[Asked, ...] = ()


class Audience:
    """Finds who may decide on the calls of a message; `fallback` is a channel where nobody of them can be asked."""

    def __init__(self, directory: SlackDirectory, fallback: str = "") -> None:
        self._directory, self.fallback = directory, fallback

    async def reach(self, session: Session, message: Message, channel: str, user: str) -> Reach:
        """Who has to see a message that stands in `channel`, besides those who see it there. Raises RetryLater.

        `user` is the other person of a direct conversation, where it is known.
        """
        if not message.decides and not message.concerns:
            return Reach()
        try:
            viewers = await self._viewers(session, channel, user)
            if viewers is None:
                return Reach()
            if message.concerns:
                absent = message.concerns[:1] in ("U", "W") and message.concerns not in viewers
                return Reach(asked=(Asked((message.concerns,), 1),) if absent else ())
            return await self._reach(session, message, viewers)
        except FlagmanError as unknown:
            raise RetryLater(RETRY_SECONDS, str(unknown), refused=True) from unknown

    async def _viewers(self, session: Session, channel: str, user: str) -> frozenset[str] | None:
        if channel[:1] in ("C", "G"):
            return await self._directory.viewers(channel)
        if channel[:1] in ("U", "W"):
            return frozenset({channel})
        # Slack does not say who is in a direct conversation without a scope of its own.
        return frozenset([user] if user else (who.removeprefix("slack:") for who in session.requesters))

    async def _reach(self, session: Session, message: Message, viewers: frozenset[str]) -> Reach:
        here, asked = False, dict[Asked, None]()
        for call in message.decides:
            for position, rule in enumerate(call.call.rules):
                left = rule.quorum - len(call.approvals(position))
                if left <= 0:
                    continue
                present, absent = await self._able(session, call, rule, viewers, left)
                # A key sees every call that it may decide on.
                here = here or present > 0 or any(who.startswith("api:") for who in rule.users)
                if present < left:
                    asked[Asked(tuple(absent), max(MOST_ASKED, left - present))] = None
        return Reach(here, tuple(asked))

    async def _able(
        self, session: Session, call: Call, rule: Approvers, viewers: frozenset[str], left: int
    ) -> tuple[int, list[str]]:
        """How many may decide among the viewers, up to `left`, and who else may, up to a number."""
        present, absent = 0, list[str]()
        without = _without(session, call, rule)
        async for who in self._directory.able(rule, without, first=viewers):
            if who in viewers:
                present += 1
            elif who[:1] in ("U", "W"):
                absent.append(who)
            if present >= left or len(absent) >= max(MOST_ASKED, left) + SPARE:
                break
        return present, absent

    async def places(self, session: Session, message: Message) -> list[str]:
        """Where a message goes, in this order, whose own place takes nothing: people, then the fallback channel.

        A request goes to those who may decide, and anything else to the requester first. Raises RetryLater.
        """
        origin = Place.of(session)
        requester = origin.user if origin and origin.user[:1] in ("U", "W") else ""
        named, admins = list[str](), list[str]()
        try:
            for call in message.decides or session.calls_in("awaiting"):
                for rule in call.call.rules:
                    _, able = await self._able(session, call, rule, frozenset(), 1)
                    (named if rule.named else admins).extend(able)
            reach = await self._reach(session, message, frozenset({requester}))
        except FlagmanError as unknown:
            raise RetryLater(RETRY_SECONDS, str(unknown), refused=True) from unknown
        people = [requester, *named]
        if message.decides:
            people = [*named, *([requester] if reach.here else []), *admins]
        return [place for place in dict.fromkeys([*people, self.fallback]) if place]


def _without(session: Session, call: Call, rule: Approvers) -> frozenset[str]:
    """Who may not decide by the rule (any more)."""
    decided = frozenset(who for decision in call.decisions for who in decision.people)
    return decided | session.barred(call, rule)
