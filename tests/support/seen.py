"""What a person was shown of a call, for tests in which they decide on it as it is now."""

from supervisor.core.commands.approvals import Seen
from supervisor.service import Supervisor


async def seen_now(supervisor: Supervisor, session_id: str, call_id: str = "1.1") -> Seen:
    return Seen.of((await supervisor.get(session_id)).call(call_id))
