"""What there is to see in a running Flagman: the newest sessions, and a call as a person was shown it."""

from bot.compose import Core
from supervisor.contract.reader import Index
from supervisor.core.commands.approvals import Seen
from supervisor.core.state import Session
from supervisor.service import Supervisor


async def recent_sessions(core: Core, index: Index = "all", *, limit: int = 20) -> list[Session]:
    """The newest sessions of an index."""
    return [await core.sessions.load(found) for found, _ in await core.log.index(index, limit=limit)]


async def seen_now(supervisor: Supervisor, session_id: str, call_id: str = "1.1") -> Seen:
    return Seen.of((await supervisor.get(session_id)).call(call_id))
