"""For which session of a coordinator's thread a reply is: the coordinator, or one of its sub-agents."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from handlers.context import ListenerContext
from supervisor.core.errors import FlagmanError
from supervisor.core.state import Session

# The name of a sub-agent at the beginning of a reply, as in "shop: use blue" or "@shop, use blue".
_NAMED = re.compile(r"\s*@?`?(?P<name>[^\s:,`][^:,`\n]{0,79}?)`?\s*[:,]\s*(?=\S)")


async def addressee(
    flagman: ListenerContext, session_id: str, text: str, *, answers: bool = True
) -> tuple[Session | None, str]:
    """Return the sub-agent that a reply in the thread of a session is for, None for the session itself, and the words.

    It is for a sub-agent that it names at its beginning, or, with `answers`, for the only one that asks a question
    where the coordinator asks none.
    """
    try:
        root = await flagman.supervisor.get(session_id)
        below = [child async for child in _below(flagman, root)] if root.children else []
    except FlagmanError:
        # The session itself says what is wrong with it.
        return None, text
    at_work = [child for child in below if not child.ended]
    if named := _NAMED.match(text):
        wanted = named["name"].casefold()
        # Of several attempts the newest one is at work.
        found = [child for child in at_work if child.lineage and child.lineage.name.casefold() == wanted]
        if found:
            return found[-1], text[named.end() :]
    asking = [child for child in at_work if child.calls_in("asking")]
    if answers and len(asking) == 1 and not root.calls_in("asking"):
        return asking[0], text
    return None, text


async def _below(flagman: ListenerContext, session: Session) -> AsyncIterator[Session]:
    for child in session.running_children:
        found = await flagman.supervisor.get(child.id)
        yield found
        async for deeper in _below(flagman, found):
            yield deeper
