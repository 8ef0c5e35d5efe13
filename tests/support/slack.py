"""A playground on a free port, and the hands of the people in it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

import aiohttp
from aiohttp import web

from bot.playground.app import start
from bot.playground.playground import Playground
from bot.playground.seed import EVENTS, Manifest

Json = dict[str, Any]
Found = TypeVar("Found")

BOT_TOKEN = "xoxb-playground"
APP_TOKEN = "xapp-playground"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"

ADA, GRACE, LINUS, MARGARET, KEN = "U0ADA0001", "U0GRACE01", "U0LINUS01", "U0MARGAR1", "U0KEN0001"
BOT = "U0FLAGMAN1"
OPS, DEPLOYS, RANDOM = "C0OPS0001", "C0DEPLOY1", "C0RANDOM1"
ADA_DM = "D0ADA0001"
SRE = "S0SRE0001"
# An app with every scope and event, for tests of the playground itself; Flagman has those of docs/slack-app.yaml.
ALL_SCOPES = Manifest(
    scopes=None,
    events=EVENTS | {"message.mpim", "reaction_added", "reaction_removed", "member_joined_channel"},
)
# Slack's rate limits hold, as much faster as the rates that Flagman keeps in tests.
RATE_SCALE = 20.0
OTHER_TEAM = "T0ELSEWHERE"


@overload
async def wait_for(
    predicate: Callable[[], Awaitable[Found | None]], timeout: float = ..., pause: float = ...
) -> Found: ...


@overload
async def wait_for(
    predicate: Callable[[], Found | None], timeout: float = ..., pause: float = ...
) -> Found: ...


async def wait_for(predicate: Callable[[], Any], timeout: float = 60, pause: float = 0.01) -> Any:
    """The first truthy value of `predicate`, plain or awaited; fails when there is none in time."""
    until = time.monotonic() + timeout
    while True:
        value = predicate()
        found = await value if isinstance(value, Awaitable) else value
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"not within {timeout} s: {predicate}")
        await asyncio.sleep(pause)


class Slack:
    """`async with Slack() as slack:`; what is not named here is there by `get`, `send` and `playground`."""

    def __init__(
        self,
        data: Path | None = None,
        *,
        port: int = 0,
        events_url: str | None = None,
        manifest: Manifest | None = None,
        rate_scale: float = RATE_SCALE,
        ack_seconds: float = 60.0,
        trigger_seconds: float = 60.0,
        retry_delays: Sequence[float] = (0.05, 0.05, 0.05),
    ) -> None:
        self._port = port
        self.playground = Playground(
            data,
            base_url=f"http://127.0.0.1:{port}",
            bot_token=BOT_TOKEN,
            app_token=APP_TOKEN,
            signing_secret=SIGNING_SECRET,
            events_url=events_url,
            manifest=manifest,
            ack_seconds=ack_seconds,
            trigger_seconds=trigger_seconds,
            retry_delays=retry_delays,
        )
        self.playground.settings.rate_scale = rate_scale
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        self._runner = await start(self.playground, "127.0.0.1", self._port)
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        if self._session:
            await self._session.close()
        if self._runner:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where the playground listens."""
        return self.playground.base_url

    @property
    def api_url(self) -> str:
        """The `base_url` for a Slack client (`SLACK_API_URL`)."""
        return self.playground.api_url

    @property
    def session(self) -> aiohttp.ClientSession:
        """An HTTP session, for whatever else."""
        assert self._session is not None, "use `async with`"
        return self._session

    async def send(self, path: str, body: Json, method: str = "POST") -> Json:
        """One request to the control API; the status is in `http`."""
        async with self.session.request(method, f"{self.url}/playground/{path}", json=body) as answer:
            return {"http": answer.status, **(await answer.json())}

    async def get(self, path: str, **query: str) -> Json:
        """One reading of the control API."""
        async with self.session.get(f"{self.url}/playground/{path}", params=query) as answer:
            return {"http": answer.status, **(await answer.json())}

    async def api(self, method: str, *, token: str = BOT_TOKEN, **args: Any) -> Json:
        """One call of the Web API as the bot, without a client in between."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.session.post(self.api_url + method, json=args, headers=headers) as answer:
            found: Json = await answer.json(content_type=None)
            return found

    async def store(self, user: str, name: str, content: bytes) -> str:
        """Store a file, to be attached to a message; gives its id."""
        address = f"{self.url}/playground/files"
        async with self.session.post(address, params={"user": user, "name": name}, data=content) as answer:
            found = await answer.json()
        assert found["ok"], found
        return str(found["file"]["id"])

    async def post(
        self, user: str, channel: str, text: str, thread_ts: str | None = None, files: Sequence[str] = ()
    ) -> Json:
        """Write a message with stored files; gives the message."""
        body = {"user": user, "channel": channel, "text": text, "thread_ts": thread_ts, "files": list(files)}
        answer = await self.send("post", body)
        assert answer["ok"], answer
        message: Json = answer["message"]
        return message

    async def command(self, user: str, channel: str, text: str, command: str = "/agent") -> Json:
        """Enter a slash command."""
        body = {"user": user, "channel": channel, "command": command, "text": text}
        return await self.send("command", body)

    async def click(
        self, user: str, channel: str, ts: str, action_id: str, value: str | None = None, **more: Any
    ) -> Json:
        """Press a button (or choose in a menu) of a message as it is now."""
        body = {"user": user, "channel": channel, "ts": ts, "action_id": action_id, **more}
        if value is not None:
            body["value"] = value
        return await self.send("action", body)

    async def click_stale(self, user: str, channel: str, message: Json, action_id: str, **more: Any) -> Json:
        """Press a button of a message as it was."""
        return await self.click(user, channel, message["ts"], action_id, stale=True, message=message, **more)

    async def choose(self, user: str, channel: str, message: Json, action: str, **more: Any) -> Json:
        """Choose the option of an action from the menu of a message."""
        option = buttons(message)[action]
        more = {**more, "message": message} if more.get("stale") else more
        return await self.click(user, channel, message["ts"], "session_more", selected_option=option, **more)

    async def cancel(self, user: str, channel: str, message: Json) -> Json:
        """Cancel a session by the menu of a message of it, and the window that asks once more."""
        assert (await self.choose(user, channel, message, "session_cancel"))["ok"]
        return await self.submit(user, await self.view(user))

    async def click_in_view(self, user: str, view_id: str, action_id: str, **more: Any) -> Json:
        """Press a button of an open window or of the home tab."""
        return await self.send("action", {"user": user, "view_id": view_id, "action_id": action_id, **more})

    async def submit(self, user: str, view: Json, values: Json | None = None) -> Json:
        """Send a form. `values` is {block_id: {action_id: state}}, or, shorter, {action_id: text}."""
        body = {"user": user, "view_id": view["id"], "action": "submit"}
        return await self.send("view", {**body, "values": _spelled_out(view, values or {})})

    async def close_view(self, user: str, view: Json) -> Json:
        """Close a window."""
        return await self.send("view", {"user": user, "view_id": view["id"], "action": "close"})

    async def views(self, user: str) -> list[Json]:
        """The open windows of a person, the top one last."""
        found: list[Json] = (await self.get("views", user=user))["views"]
        return found

    async def view(self, user: str, timeout: float = 60) -> Json:
        """The window on top, as soon as there is one."""
        return (await wait_for(lambda: self.views(user), timeout))[-1]

    async def home(self, user: str) -> Json:
        """Open the app's home; gives what was there, if anything."""
        return await self.send("home", {"user": user})

    async def messages(self, channel: str, thread_ts: str | None = None, user: str = ADA) -> list[Json]:
        """What a person sees, oldest first."""
        query = {"channel": channel, "user": user, **({"thread_ts": thread_ts} if thread_ts else {})}
        answer = await self.get("messages", **query)
        assert answer["ok"], answer
        found: list[Json] = answer["messages"]
        return found

    async def message(
        self,
        channel: str,
        matches: Callable[[Json], Any],
        thread_ts: str | None = None,
        user: str = ADA,
        timeout: float = 60,
    ) -> Json:
        """The last message for which `matches` is true, as soon as there is one."""

        async def look() -> Json | None:
            found = [row for row in await self.messages(channel, thread_ts, user) if matches(row)]
            return found[-1] if found else None

        return await wait_for(look, timeout)

    async def react(self, user: str, channel: str, ts: str, name: str) -> Json:
        """Add a reaction."""
        return await self.send("reaction", {"user": user, "channel": channel, "ts": ts, "name": name})

    async def person(self, **about: Any) -> Json:
        """Add a person, or change the one with that `id`; gives the user as Slack shows them.

        A guest is `is_restricted=True`, somebody deactivated `deleted=True`, of another workspace `team_id=OTHER_TEAM`.
        """
        answer = await self.send("people", about)
        assert answer["ok"], answer
        user: Json = answer["user"]
        return user

    async def channel(self, kind: str = "", **about: Any) -> str:
        """Add a channel, or change the one with that `id`; gives its id.

        `kind` is public, private, mpim or im; `members` are ids (the bot is in only if it is named),
        `is_archived=True` archives, `teams=[OTHER_TEAM]` shares with another workspace.
        """
        answer = await self.send("channels", {**({"kind": kind} if kind else {}), **about})
        assert answer["ok"], answer
        return str(answer["channel"]["id"])

    async def settings(self, **given: Any) -> Json:
        """Change how strict and slow Slack is: `rate_limits=`, `file_share_delay_s=`, … of playground/settings.py."""
        answer = await self.send("settings", given)
        assert answer["ok"], answer
        found: Json = answer["settings"]
        return found

    async def fault(self, method: str, **how: Any) -> None:
        """Plan a failure: `status=`, `error=`, `retry_after=`, `times=`, `when="after"`, `delay_s=`, `match=`."""
        answer = await self.send("faults", {"method": method, **how})
        assert answer["ok"], answer

    async def share_files(self) -> int:
        """Share now what `file_share_delay_s` holds back; gives how many places that were."""
        return int((await self.send("share", {}))["shared"])

    async def no_faults(self) -> None:
        """Forget planned failures."""
        await self.send("faults", {}, "DELETE")

    async def calls(self, method: str = "") -> list[Json]:
        """What the app called, oldest first."""
        found: list[Json] = (await self.get("calls", method=method))["calls"]
        return found

    async def connected(self, timeout: float = 60) -> None:
        """Wait for a websocket of the app."""
        await wait_for(lambda: self.playground.delivery.sockets.connected, timeout)

    async def disconnect(self, how: str = "drop") -> Json:
        """Cut the app's websockets off, or warn them."""
        return await self.send("disconnect", {"how": how})

    async def redeliver(self, event_id: str | None = None) -> Json:
        """The same event once more."""
        return await self.send("redeliver", {"event_id": event_id} if event_id else {})

    async def wait_for(self, predicate: Callable[[], Any], timeout: float = 60) -> Any:
        """See `wait_for` above."""
        return await wait_for(predicate, timeout)


def _spelled_out(view: Json, values: Json) -> Json:
    """Short values (action id to text) as the state of their blocks."""
    spelled: Json = {}
    for block in view["blocks"]:
        element = block.get("element") or block.get("accessory") or {}
        action = element.get("action_id")
        if action in values and not isinstance(values[action], dict):
            field = "selected_option" if element["type"] in ("static_select", "radio_buttons") else "value"
            value = {"value": values[action]} if field == "selected_option" else values[action]
            spelled[block["block_id"]] = {action: {"type": element["type"], field: value}}
        elif block["block_id"] in values:
            spelled[block["block_id"]] = values[block["block_id"]]
    return spelled


def texts(message: Json) -> str:
    """All that a message says, blocks included, for `in`."""
    return str(message.get("text", "")) + "\n" + json.dumps(message.get("blocks", []), ensure_ascii=False)


def buttons(message: Json) -> dict[str, Json]:
    """The buttons of a message or a view, and the options of its menus, by action id."""
    found: dict[str, Json] = {}
    for block in message.get("blocks", []):
        for element in (*block.get("elements", ()), block.get("accessory")):
            if isinstance(element, dict) and element.get("type") == "button":
                found[element["action_id"]] = element
            if isinstance(element, dict) and element.get("type") == "overflow":
                found |= {one["value"].partition("|")[0]: one for one in element["options"]}
    return found
