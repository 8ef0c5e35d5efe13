"""Resume tokens: signed texts that expire; each can end one pause of one session once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from supervisor.core.errors import FlagmanError, IllegalEvent, TokenExpired, TokenForged, TokenUsed
from supervisor.core.events import Actor
from supervisor.core.events.base import SYSTEM
from supervisor.core.state import PauseRecord, Session
from supervisor.service import Supervisor

LIFETIME = timedelta(days=7)
LONGEST_TOKEN = 1000
_SALT = "flagman.resume.1"
_TRIES = 10


class ResumeTokens:
    """Creates and redeems tokens. The first of `secrets` signs, all of them are accepted."""

    def __init__(self, secrets: Sequence[str], *, lifetime: timedelta = LIFETIME) -> None:
        self._lifetime = lifetime
        self._serializer = URLSafeTimedSerializer(
            list(reversed(secrets)), salt=_SALT, signer_kwargs={"digest_method": hashlib.sha256}
        )

    def give(self, session: Session, actor: Actor = SYSTEM) -> tuple[str, datetime]:
        """A token of the actor for the present pause of the session, and its expiry in UTC.

        Raises IllegalEvent without a pause, and for one that waits for an approval, which no token gives.
        """
        if not session.pause:
            raise IllegalEvent("This session is not paused, so there is nothing to resume.")
        if session.approval:
            raise IllegalEvent("This session waits for an approval, which a resume token does not give.")
        token = self._serializer.dumps([session.id, session.halts[-1].number, actor.person])
        expires = datetime.now(UTC).replace(microsecond=0) + self._lifetime
        return str(token), expires

    def read(self, token: str) -> tuple[str, int, str]:
        """The id of the session, the number of the pause, and whose token it is; empty where an older one does not say.

        Raises TokenForged or TokenExpired.
        """
        if len(token) > LONGEST_TOKEN:
            raise TokenForged
        try:
            said: Any = self._serializer.loads(token, max_age=int(self._lifetime.total_seconds()))
        except SignatureExpired as error:
            signed = error.date_signed or datetime.now(UTC)
            raise TokenExpired(signed + self._lifetime) from None
        except BadData:
            raise TokenForged from None
        match said:
            case [str(session_id), int(number)]:
                return session_id, number, ""
            case [str(session_id), int(number), str(giver)]:
                return session_id, number, giver
        raise TokenForged

    async def redeem(
        self,
        supervisor: Supervisor,
        token: str,
        *,
        data: Any = None,
        context: str = "",
        bearer: Actor = SYSTEM,
    ) -> Session:
        """Resume the session of the token. Raises TokenForged, TokenExpired, TokenUsed, or as `Supervisor.resume`.

        What the agent is told counts as the words of the bearer, or, where that is not known, of whose token it is.
        """
        session_id, number, giver = self.read(token)
        for _ in range(_TRIES):
            session = await supervisor.get(session_id)
            halt = next((h for h in session.halts if h.number == number), None)
            if not session.pause or halt is None or not halt.lasts:
                raise TokenUsed(_end_of(halt, session))
            giver = giver or halt.by
            owner = giver if bearer.id == SYSTEM.id else bearer.person
            actor = Actor(id="token", name="a resume token", owner="" if owner == SYSTEM.id else owner)
            newest = session.halts[-1].number
            try:
                return await supervisor.resume(
                    session_id, actor, trigger="token", data=data, context=context, pause_number=newest
                )
            except IllegalEvent:
                if (await supervisor.get(session_id)).version == session.version:
                    raise
                # Another writer changed it in between: the pause has ended, or another one was added.
                continue
        raise FlagmanError("The session is changing too quickly; please try again.")


def _end_of(halt: PauseRecord | None, session: Session) -> str:
    """Return by whom and when the pause was ended, as the end of a sentence."""
    if halt and halt.replaced:
        return "when it was said what else the session waits for"
    if halt and halt.resumed_at:
        return f"by {halt.resumed_by_name or halt.resumed_by} on {halt.resumed_at:%Y-%m-%d at %H:%M} UTC"
    return f"when the session was {session.lifecycle}"
