"""Control routes that read the workspace and act in it as a person."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.playground import seed, stream
from bot.playground.control.arrangement import Arrangement
from bot.playground.control.json_routes import Handler, Route, as_json, read_body
from bot.playground.control.trials import Trials
from bot.playground.errors import Refusal
from bot.playground.methods import files
from bot.playground.people.clicks import Clicks
from bot.playground.people.members import People
from bot.playground.playground import Playground
from bot.playground.store import Json

USER_FIELDS = (
    "id",
    "name",
    "real_name",
    "tz",
    "tz_label",
    "color",
    "is_bot",
    "is_admin",
    "is_restricted",
    "is_ultra_restricted",
    "deleted",
    "team_id",
)
Act = Callable[[seed.Person, Json], Awaitable[Json]]


class Control:
    """All routes under `/playground/`."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._workspace = playground.workspace
        self._people = People(playground)
        self._clicks = Clicks(playground, self._people)

    def routes(self) -> list[Route]:
        """Return the method, path and handler of each route."""
        reads = {
            "state": self._state,
            "messages": self._messages,
            "views": self._views,
            "status": self._status,
        }
        acts: dict[str, Act] = {
            "post": self._post,
            "command": self._command,
            "action": self._clicks.action,
            "view": self._clicks.view,
            "shortcut": self._clicks.shortcut,
            "suggest": self._clicks.suggest,
            "home": self._home,
            "reaction": self._reaction,
            "join": self._join,
            "delete": self._delete,
            "dismiss": self._dismiss,
            "stop": self._stop,
        }
        return [
            *(("GET", f"/playground/{name}", as_json(read)) for name, read in reads.items()),
            *(("POST", f"/playground/{name}", self._acting(act)) for name, act in acts.items()),
            *Trials(self._playground).routes(),
            *Arrangement(self._playground).routes(),
            ("GET", "/playground/files/{id}", self._download),
            ("POST", "/playground/files", as_json(self._attach)),
            ("GET", "/playground/stream", self._stream),
        ]

    def _acting(self, act: Act) -> Handler:
        async def acted(request: web.Request) -> Json:
            body = await read_body(request)
            return await act(self._people.person(body.get("user")), body)

        return as_json(acted)

    async def _state(self, request: web.Request) -> Json:
        user = request.query.get("user")
        workspace = self._workspace
        everything = workspace.channels.values()
        channels = [row for row in everything if (workspace.sees(row, user) if user else not row.is_private)]
        mode = self._playground.delivery.mode
        return {
            "ok": True,
            "team": {"id": seed.TEAM_ID, "name": seed.TEAM_NAME, "domain": seed.TEAM_DOMAIN},
            "bot": {
                "id": seed.BOT_USER,
                "bot_id": seed.BOT_ID,
                "app_id": seed.APP_ID,
                "name": seed.BOT_NAME,
                "real_name": seed.BOT_REAL_NAME,
            },
            "me": self._user(self._people.person(user)) if user else None,
            "users": [self._user(person) for person in workspace.people.values()],
            "usergroups": [
                {"id": group.id, "handle": group.handle, "name": group.name, "users": list(group.users)}
                for group in workspace.groups.values()
            ],
            "channels": [self._channel(channel, user) for channel in channels],
            "commands": [
                {"command": row.command, "usage_hint": row.usage_hint, "description": row.description}
                for row in workspace.manifest.commands
            ],
            "shortcuts": [
                {"callback_id": row.callback_id, "name": row.name, "type": row.type}
                for row in workspace.manifest.shortcuts
            ],
            "connected": mode != "none",
            "mode": mode,
        }

    def _user(self, person: seed.Person) -> Json:
        return {name: getattr(person, name) for name in USER_FIELDS}

    def _channel(self, channel: seed.Channel, user: str | None) -> Json:
        members = self._workspace.store.members(channel.id)
        others = [self._workspace.people[name] for name in members if name != user]
        return {
            "id": channel.id,
            "name": others[0].real_name if channel.is_im and others else channel.name,
            "is_im": channel.is_im,
            "is_channel": not channel.is_im,
            "is_mpim": channel.kind == "mpim",
            "is_private": channel.is_private,
            "is_archived": channel.is_archived,
            "is_ext_shared": channel.is_shared,
            "user": others[0].id if channel.is_im and others else None,
            "member": user in members,
            "bot_member": seed.BOT_USER in members,
            "topic": "",
            "purpose": channel.purpose,
            "num_members": len(members),
            "last_ts": self._workspace.store.last_ts(channel.id),
        }

    def _place(self, request: web.Request) -> tuple[seed.Person, seed.Channel]:
        person = self._people.person(request.query.get("user"))
        return person, self._people.channel(person, request.query.get("channel"))

    async def _messages(self, request: web.Request) -> Json:
        person, channel = self._place(request)
        limit = request.query.get("limit", "200")
        if not limit.isdigit() or not 1 <= int(limit) <= 10_000:
            raise Refusal(400, "invalid_limit", "`limit` is a number from 1 to 10000.")
        thread_ts = request.query.get("thread_ts") or None
        messages = self._workspace.view_of(channel.id, person.id, thread_ts, int(limit))
        return {"ok": True, "messages": messages}

    async def _views(self, request: web.Request) -> Json:
        person = self._people.person(request.query.get("user"))
        return {"ok": True, "views": self._playground.modals.stack(person.id)}

    async def _status(self, request: web.Request) -> Json:
        key = (request.query.get("channel", ""), request.query.get("thread_ts", ""))
        status, agent = self._workspace.statuses.get(key, ""), self._workspace.agents.get(key, "")
        return {"ok": True, "status": status, "agent": agent}

    async def _post(self, person: seed.Person, body: Json) -> Json:
        channel = self._people.channel(person, body.get("channel"))
        attached = files.attached(self._playground, person, body.get("files") or [])
        return self._people.post(person, channel, str(body.get("text", "")), body.get("thread_ts"), attached)

    async def _attach(self, request: web.Request) -> Json:
        return await files.attach(self._playground, self._people.person(request.query.get("user")), request)

    async def _command(self, person: seed.Person, body: Json) -> Json:
        return await self._people.command(person, self._people.channel(person, body.get("channel")), body)

    async def _home(self, person: seed.Person, body: Json) -> Json:
        return self._people.home(person, str(body.get("tab") or "home"))

    async def _reaction(self, person: seed.Person, body: Json) -> Json:
        channel = self._people.channel(person, body.get("channel"))
        name, remove = str(body.get("name", "")), bool(body.get("remove"))
        return self._people.react(person, channel, body.get("ts"), name, remove=remove)

    async def _join(self, person: seed.Person, body: Json) -> Json:
        channel = self._people.channel(person, body.get("channel"))
        member = str(body.get("member") or person.id)
        return self._people.join(person, channel, member, leave=bool(body.get("leave")))

    async def _delete(self, person: seed.Person, body: Json) -> Json:
        return self._people.delete(person, self._people.channel(person, body.get("channel")), body.get("ts"))

    async def _dismiss(self, person: seed.Person, body: Json) -> Json:
        return self._people.dismiss(person, body.get("ts"))

    async def _stop(self, person: seed.Person, body: Json) -> Json:
        return self._people.stop(
            person, self._people.channel(person, body.get("channel")), body.get("thread_ts")
        )

    async def _download(self, request: web.Request) -> web.StreamResponse:
        attachment = "download" in request.query
        header = request.headers.get("Authorization")
        token = header.removeprefix("Bearer ") if header else None
        return files.download(self._playground, request.match_info["id"], attachment=attachment, token=token)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        return await stream.serve(self._playground.hub, request)
