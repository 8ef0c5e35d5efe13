"""The requests of people, over plain HTTP; each is recorded before it is sent and as soon as it is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Literal

import aiohttp

from tests.chaos.observer import Json, Observer, elements
from tests.chaos.record import Act, Form, Recorder

AWAY = (aiohttp.ClientError, TimeoutError, OSError)
AGAIN_SECONDS = 0.3
# A person who is refused is told within this time, unless the process that tells them dies.
TOLD_SECONDS = 5.0
PATIENCE = 60.0
VERDICTS = {"approved": "approve", "denied": "deny"}
Reply = tuple[int, Json]


class Requests:
    """`keys` are the API's by the name of who has them, `clickers` people in Slack.

    `web_starts` counts the starts of the web process: what one of them acknowledged may not be told by the next.
    """

    def __init__(
        self,
        api: aiohttp.ClientSession,
        slack: aiohttp.ClientSession,
        recorder: Recorder,
        observer: Observer,
        *,
        keys: dict[str, str],
        clickers: tuple[str, ...],
        channel: str,
        web_starts: Callable[[], int],
    ) -> None:
        self._api, self._slack, self._recorder, self._observer = api, slack, recorder, observer
        self._keys, self._clickers, self._channel = keys, clickers, channel
        self._web_starts = web_starts

    async def launch(self, mark: str, task: str, *, by_slack: bool) -> str:
        """The id of the new session; empty where a command in Slack was not answered with one."""
        if by_slack:
            return await self._launch_by_command(mark, task)
        body = {"persona": "chaos", "task": task, "channel": self._channel}
        while True:
            act = self._recorder.sent("launch", mark, "", "alice", "http")
            status, answer = await self._post("alice", "/v1/sessions", body, **{"Idempotency-Key": mark})
            if status == 201:
                self._recorder.answered(act, "acknowledged", session_id=answer["id"])
                return str(answer["id"])
            if 400 <= status < 500:
                raise AssertionError(f"{mark} cannot be launched: {answer}")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _launch_by_command(self, mark: str, task: str) -> str:
        who = self._clickers[0]
        act = self._recorder.sent("launch", mark, "", who, "slack")
        body = {"user": who, "channel": self._channel, "command": "/agent", "text": f"launch chaos {task}"}
        answer = await self._playground("command", body)
        said = str((answer.get("response") or {}).get("text", ""))
        if answer.get("ok") and "Started" in said:
            session_id = said.split("`")[1]
            self._recorder.answered(act, "acknowledged", session_id=session_id)
            return session_id
        # It may be there all the same; then it has to show itself.
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                found = [seen.id for seen in await self._observer.sessions() if seen.mark == mark]
                if found:
                    return found[0]
            except AWAY:
                pass
            await asyncio.sleep(10 * AGAIN_SECONDS)
        return ""

    async def decide(
        self, mark: str, session_id: str, call_id: str, verdict: str, who: str, edited: Json | None = None
    ) -> bool:
        """Until it is acknowledged or refused. True where the call is now known to be decided, however.

        `edited`: approve the call with these arguments.
        """
        shown = await self._shown(who, session_id, call_id)
        digest: str = shown.get("digest", "")
        body: Json = {"verdict": verdict, "digest": digest}
        if edited:
            body["arguments"] = edited
        form: Form = "edited" if edited else "proposed"
        while True:
            act = self._recorder.sent("decision", mark, verdict, who, "http", session_id, form)
            path = f"/v1/sessions/{session_id}/calls/{call_id}/decision"
            status, answer = await self._post(who, path, body)
            if await self._over(act, status, answer):
                return status < 300 or answer.get("code") == "already_decided"

    async def settle(self, mark: str, session_id: str, call_id: str, verdict: str, who: str) -> None:
        """Say once what became of a call that was cut off; where it is not answered, it has to be looked at again."""
        act = self._recorder.sent("outcome", mark, verdict, who, "http", session_id)
        path = f"/v1/sessions/{session_id}/calls/{call_id}/outcome"
        shown = await self._shown(who, session_id, call_id)
        seen: Json = {name: shown[name] for name in ("digest", "request") if name in shown}
        body: Json = {"verdict": verdict, "result": "seen by a person", **seen}
        status, answer = await self._post(who, path, body)
        await self._over(act, status, answer)

    async def resume(self, session_id: str) -> None:
        act = self._recorder.sent("resume", "", "", "alice", "http", session_id)
        status, answer = await self._post("alice", f"/v1/sessions/{session_id}/resume", {})
        await self._over(act, status, answer)

    async def click(self, mark: str, session_id: str, call_id: str, action: str, clicker: int) -> bool:
        """Press a button of a call as it is shown. True where it surely counts: nobody took it back in time."""
        who = self._clickers[clicker]
        found = await self._button(session_id, call_id, action)
        if found is None:
            return False
        row, block = found
        kind: Literal["decision", "outcome"] = "decision" if action == "call_approve" else "outcome"
        verdict = "approve" if kind == "decision" else "run_again"
        act = self._recorder.sent(kind, mark, verdict, who, "slack", session_id)
        starts, sent = self._web_starts(), time.time()
        body = {
            "user": who,
            "channel": self._channel,
            "ts": row["ts"],
            "action_id": action,
            "block_id": block,
        }
        answer = await self._playground("action", {**body, "stale": True, "message": row})
        if not answer.get("ok"):
            return False
        await asyncio.sleep(TOLD_SECONDS)
        told = await self._observer.rows(who, str(row.get("thread_ts") or row["ts"]))
        refused = any(r.get("ephemeral") and float(r["ts"]) >= sent - 1 for r in told)
        if refused or self._web_starts() != starts:
            return False
        self._recorder.answered(act, "acknowledged")
        return True

    async def deny(self, mark: str, session_id: str, call_id: str, clicker: int) -> bool:
        """Press Deny and send the form that opens. True where it surely counts: a form is answered as it went."""
        who = self._clickers[clicker]
        found = await self._button(session_id, call_id, "call_deny")
        if found is None:
            return False
        row, block = found
        body = {"user": who, "channel": self._channel, "ts": row["ts"], "action_id": "call_deny"}
        await self._playground("action", {**body, "block_id": block, "stale": True, "message": row})
        async with self._slack.get("/playground/views", params={"user": who}) as reply:
            views: list[Json] = (await reply.json())["views"]
        about = f"{session_id}|{call_id}|"
        view = next((v for v in views if str(v.get("private_metadata")).startswith(about)), None)
        if view is None:
            return False
        act = self._recorder.sent("decision", mark, "deny", who, "slack", session_id)
        form = {"user": who, "view_id": view["id"], "action": "submit", "values": {}}
        answer = await self._playground("view", form)
        if answer.get("ok"):
            self._recorder.answered(act, "acknowledged")
        return bool(answer.get("ok"))

    async def _button(self, session_id: str, call_id: str, action: str) -> tuple[Json, str] | None:
        """The message with the button of a call, and the button's block, as soon as it is there."""
        until, reader = time.monotonic() + PATIENCE, self._clickers[0]
        while time.monotonic() < until:
            for card in await self._observer.rows(reader):
                payload = (card.get("metadata") or {}).get("event_payload") or {}
                if payload.get("session") != session_id:
                    continue
                for row in await self._observer.rows(reader, card["ts"]):
                    for block, element in elements(row):
                        value = str(element.get("value") or "").split("|")
                        if element["action_id"] == action and value[:2] == [session_id, call_id]:
                            return row, block["block_id"]
            await asyncio.sleep(AGAIN_SECONDS)
        return None

    async def _over(self, act: Act, status: int, answer: Json) -> bool:
        """Record what came back; False, after a moment, where the request should be repeated."""
        if 200 <= status < 300:
            self._recorder.answered(act, "acknowledged")
            return True
        if 400 <= status < 500:
            verdict = str((answer.get("fields") or {}).get("verdict", ""))
            told = VERDICTS.get(verdict, "") if answer.get("code") == "already_decided" else ""
            self._recorder.answered(act, "refused", told)
            return True
        await asyncio.sleep(AGAIN_SECONDS)
        return False

    async def _shown(self, who: str, session_id: str, call_id: str) -> Json:
        """The call as the session shows it, as soon as it answers; empty where it is not open any more."""
        headers = {"Authorization": f"Bearer {self._keys[who]}"}
        while True:
            try:
                async with self._api.get(f"/v1/sessions/{session_id}", headers=headers) as answer:
                    if answer.status == 200:
                        calls: list[Json] = (await answer.json())["calls"]
                        return next((call for call in calls if call["call_id"] == call_id), {})
            except AWAY:
                pass
            await asyncio.sleep(AGAIN_SECONDS)

    async def _post(self, who: str, path: str, body: Json, **headers: str) -> Reply:
        """Status and body; status 0 where no answer came."""
        headers["Authorization"] = f"Bearer {self._keys[who]}"
        try:
            async with self._api.post(path, json=body, headers=headers) as answer:
                found: Any = await answer.json()
                return answer.status, found
        except AWAY:
            return 0, {}

    async def _playground(self, what: str, body: Json) -> Json:
        async with self._slack.post(f"/playground/{what}", json=body) as answer:
            found: Json = await answer.json()
            return found
