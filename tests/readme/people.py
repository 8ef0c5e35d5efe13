"""What people do in the playground of a served Flagman, over its HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.support.api import Client
from tests.support.slack import ADA, OPS, wait_for

Json = dict[str, Any]
# How a sentence begins by which something is refused.
REFUSED = (":information_source:", ":warning:")


async def entered(api: Client, text: str) -> str:
    """Enter a slash command, which is accepted; what the person reads."""
    command, _, rest = text.partition(" ")
    body = {"user": ADA, "channel": OPS, "command": command, "text": rest}
    answer = (await api.post("/playground/command", body)).body
    assert answer["ok"], answer
    said = str((answer.get("response") or {}).get("text", ""))
    assert not said.startswith(REFUSED), said
    return said


async def launched(api: Client, text: str = '/agent launch sre "report on the disk"') -> str:
    """The id of the session that this command starts, once it waits for an approval."""
    found = re.search(r"\(`([^`]+)`\)", await entered(api, text))
    assert found
    await api.get(f"/v1/sessions/{found[1]}/wait")
    return found[1]


async def done(api: Client, session_id: str) -> None:
    """Approve all that a session proposes, until it has ended."""
    while (state := (await api.get(f"/v1/sessions/{session_id}/wait")).body)["waiting_for"]:
        for call in state["calls"]:
            if call["phase"] == "awaiting":
                path = f"/v1/sessions/{session_id}/calls/{call['call_id']}/decision"
                await api.post(path, {"verdict": "approve", "digest": call["digest"]})


async def card(api: Client, session_id: str) -> Json:
    """The card of a session, as soon as it is there."""

    async def look() -> Json | None:
        found = (await api.get(f"/playground/messages?channel={OPS}&user={ADA}"))["messages"]
        return next((m for m in found if f"card:{session_id}" in str(m.get("blocks"))), None)

    return await wait_for(look)


async def posted(api: Client, text: str, thread_ts: str) -> None:
    """Write into a thread."""
    body = {"user": ADA, "channel": OPS, "text": text, "thread_ts": thread_ts}
    answer = (await api.post("/playground/post", body)).body
    assert answer["ok"], answer


async def seen(api: Client, session_id: str, matches: Callable[[Json], Any]) -> Json:
    """The session, as soon as it is so."""

    async def look() -> Json | None:
        state: Json = (await api.get(f"/v1/sessions/{session_id}")).body
        return state if matches(state) else None

    return await wait_for(look)
