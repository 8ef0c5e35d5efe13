"""Who has to see a request: whether somebody may decide where it stands, and who else is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from handlers.directory import SlackDirectory
from handlers.messages.message import APPROVAL, Message, Request
from handlers.origin import Place
from handlers.projection.refusals import RETRY_SECONDS, RetryLater
from handlers.team_ids import actor_id
from supervisor.contract.access import Access
from supervisor.contract.parts import AccessParts
from supervisor.core.errors import FlagmanError, LogUnreadable
from supervisor.core.events import Actor
from supervisor.core.persona import Approvers
from supervisor.core.state import Call, Session

# How many people are asked for one rule where its quorum needs no more, and how many are known to ask instead of them.
MOST_ASKED, SPARE = 5, 5
_ADMINS = Approvers()


@dataclass(frozen=True)
class Asked:
    """The people to ask for one rule, in this order, until `most` have been."""

    people: tuple[str, ...]
    most: int


@dataclass(frozen=True)
class Reach:
    """`here`: whether somebody who sees the place may decide; `asked` are those to be asked besides.

    `problems` are sentences on why some of those who could decide are not known.
    """

    here: bool = True
    asked: tuple[Asked, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Viewers:
    """The people who see a place. Of a public `channel` they are not listed."""

    people: frozenset[str] = frozenset()
    channel: str = ""


@dataclass(frozen=True)
class _Need:
    """`left` more people of a rule who decide on a request, not those in `without`.

    Every person who sees the place may be one of them with `anyone`; `others` may be in any case. `steers`: it is
    decided by who may steer this session, of whom the rule names those who come into question.
    """

    rule: Approvers
    left: int
    without: frozenset[str] = frozenset()
    anyone: bool = False
    others: frozenset[str] = frozenset()
    steers: Session | None = None


class Audience:
    """Finds who may decide on the requests of a message.

    `parts` are those by which rights are found out, and `fallback` is a channel where nobody of them can be asked.
    """

    def __init__(self, parts: AccessParts, directory: SlackDirectory, fallback: str = "") -> None:
        self._parts, self._directory, self.fallback = parts, directory, fallback

    async def reach(self, session: Session, message: Message, channel: str, user: str) -> Reach:
        """Who has to see a message that stands in `channel`, besides those who see it there. Raises RetryLater.

        `user` is the other person of a direct conversation, where it is known.
        """
        if not message.decides and not message.concerns:
            return Reach()
        try:
            viewers = await self._viewers(session, channel, user)
            if message.concerns:
                absent = message.concerns[:1] in ("U", "W") and not await self._sees(
                    viewers, message.concerns
                )
                return Reach(asked=(Asked((message.concerns,), 1),) if absent else ())
            return await self._reach(message.decides, viewers)
        except FlagmanError as unknown:
            raise RetryLater(RETRY_SECONDS, str(unknown), refused=True) from unknown

    async def is_outside(self, channel: str) -> bool:
        """Return whether the bot is known to be no member of a channel. Raises ActorUnknown."""
        return await self._directory.is_outside(channel)

    async def _viewers(self, session: Session, channel: str, user: str) -> _Viewers:
        if channel[:1] in ("C", "G"):
            members = await self._directory.viewers(channel)
            return _Viewers(channel=channel) if members is None else _Viewers(members)
        if channel[:1] in ("U", "W"):
            return _Viewers(frozenset({channel}))
        if user:
            return _Viewers(frozenset({user}))
        # Slack does not say who is in a direct conversation without a scope of its own.
        people = [
            who for who in self._people(session.requesters) if await self._directory.is_direct(channel, who)
        ]
        return _Viewers(frozenset(people))

    async def _sees(self, viewers: _Viewers, who: str) -> bool:
        if who in viewers.people or not viewers.channel or who[:1] not in ("U", "W"):
            return who in viewers.people
        return await self._directory.is_shown(viewers.channel, who)

    async def _reach(self, requests: Sequence[Request], viewers: _Viewers) -> Reach:
        here, asked, problems = False, dict[Asked, None](), dict[str, None]()
        for request in requests:
            for need in await self._needs(request):
                present, absent = await self._able(need, viewers)
                # A key sees every call that it may decide on.
                stand_ins = [who async for who in self._stand_ins(need, viewers)]
                unseen = [who for who in stand_ins if not await self._sees(viewers, who)]
                asked |= {Asked((who,), 1): None for who in unseen}
                here = (
                    here
                    or present > 0
                    or len(unseen) < len(stand_ins)
                    or any(who.startswith("api:") for who in need.rule.users)
                )
                if present < need.left:
                    asked[Asked(tuple(absent), max(MOST_ASKED, need.left - present))] = None
                problems |= {await self._directory.group_problem(group): None for group in need.rule.groups}
        return Reach(here, tuple(asked), tuple(filter(None, problems)))

    async def _needs(self, request: Request) -> Sequence[_Need]:
        if request.buttons == APPROVAL and request.call:
            return list(_approvals(request.session, request.call))
        session = request.session
        try:
            persona = await self._parts.supervisor.personas.load_pinned(session)
        except LogUnreadable:
            persona = None
        *_, top = persona.chain if persona else (None,)
        requesters = self._people(session.requesters)
        if top and top.operators:
            named = Approvers(users=top.operators.users, groups=top.operators.groups)
            return [_Need(named, 1, steers=session)]
        rules = persona.approvers if persona else ()
        if not rules:
            return [_Need(_ADMINS, 1, anyone=persona is not None, others=requesters, steers=session)]
        able = Approvers(
            users=(
                *(actor_id(self._directory.team, who) for who in sorted(requesters)),
                *(user for rule in rules for user in rule.users),
            ),
            groups=tuple(dict.fromkeys(group for rule in rules for group in rule.groups)),
            guests=any(rule.guests for rule in rules),
            teams=tuple(team for rule in rules for team in rule.teams),
        )
        return [_Need(able, 1, steers=session)]

    async def _able(self, need: _Need, viewers: _Viewers) -> tuple[int, list[str]]:
        """How many may decide among the viewers, up to `left`, and who else may, up to a number."""
        if need.anyone and viewers.channel:
            return need.left, []
        present, absent = 0, list[str]()
        async for who in self._candidates(need, viewers):
            if await self._sees(viewers, who):
                present += 1
            elif who[:1] in ("U", "W"):
                absent.append(who)
            if present >= need.left or len(absent) >= max(MOST_ASKED, need.left) + SPARE:
                break
        return present, absent

    async def _stand_ins(self, need: _Need, viewers: _Viewers) -> AsyncIterator[str]:
        """Those who decide for somebody who may decide, since these may be away; not where all who see it may."""
        if need.steers or (need.anyone and viewers.channel):
            return
        if not (lasting := await self._parts.delegations.lasting()):
            return
        able = {who async for who in self._directory.able(need.rule, need.without)}
        gone = self._people(frozenset(need.without))
        for one in lasting:
            by, to = self._directory.local(one.by), self._directory.local(one.to)
            if by and by in able and to not in gone:
                yield to

    async def _candidates(self, need: _Need, viewers: _Viewers) -> AsyncIterator[str]:
        """Those who may decide, viewers first; admins where fewer than it takes are named."""
        first, count = viewers.people if need.anyone or need.rule.named else frozenset(), 0
        async for who in self._directory.able(need.rule, need.without, first=first | need.others):
            if await self._may(who, need):
                count += 1
                yield who
        if need.rule.named and count < need.left:
            async for who in self._directory.able(_ADMINS, need.without):
                yield who

    async def _may(self, who: str, need: _Need) -> bool:
        """Whether the person may steer, where that is asked for; one that cannot be read may be able."""
        if need.steers is None:
            return True
        try:
            actor = Actor(id=who if who.startswith("api:") else actor_id(self._directory.team, who))
            return await Access(self._parts, actor).may_steer(need.steers)
        except FlagmanError:
            return True

    async def places(self, session: Session, message: Message) -> list[str]:
        """Where a message goes, in this order, whose own place takes nothing: people, then the fallback channel.

        A request goes to those who may decide, and anything else to the requester first. Raises RetryLater.
        """
        origin = Place.of(session)
        requester = origin.user if origin and origin.user[:1] in ("U", "W") else ""
        named, admins = list[str](), list[str]()
        waiting = [Request(session, APPROVAL, call) for call in session.calls_in("awaiting")]
        try:
            for request in message.decides or waiting:
                for need in await self._needs(request):
                    _, able = await self._able(need, _Viewers())
                    (named if need.rule.named else admins).extend(able)
            reach = await self._reach(message.decides, _Viewers(frozenset({requester} - {""})))
        except FlagmanError as unknown:
            raise RetryLater(RETRY_SECONDS, str(unknown), refused=True) from unknown
        people = [requester, *named]
        if message.decides:
            people = [*named, *([requester] if reach.here else []), *admins]
        return [place for place in dict.fromkeys([*people, self.fallback]) if place]

    def _people(self, actors: frozenset[str]) -> frozenset[str]:
        people = (self._directory.local(who) for who in actors if who.startswith("slack:"))
        return frozenset(filter(None, people))


def _approvals(session: Session, call: Call) -> Iterator[_Need]:
    """What is left of each rule about a call that waits for an approval."""
    decided = frozenset(who for decision in call.decisions for who in decision.counted)
    for position, rule in enumerate(call.call.rules):
        if (left := rule.quorum - len(call.approvals(position))) > 0:
            yield _Need(rule, left, decided | session.barred(call, rule), anyone=not rule.named)
