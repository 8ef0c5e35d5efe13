"""The control API: what the page, and tests, use to act as the people of the workspace.

All bodies and answers are JSON. An answer has `ok`; where `ok` is false, `error` is a code and `message` one
sentence for a person. Status 400 for a bad request, 403 for a foreign `Origin` or `Host`, 404 for an unknown
user, channel, message or view, 409 for a button that is no longer there. Times of Slack are its `ts` strings.

Reading
    GET /playground/state?user=U…
        {ok, team: {id, name, domain}, bot: {id, bot_id, app_id, name, real_name}, me: User | null,
         users: [User], usergroups: [{id, handle, name, users: [U…]}], channels: [Channel],
         commands: [{command: "/agent", usage_hint, description}],
         shortcuts: [{callback_id, name, type: "message" | "global"}],
         connected: bool, mode: "socket" | "http" | "none"}
        User    {id, name, real_name, tz, tz_label, color: "9f69e7", is_bot, is_admin}
        Channel {id, name, is_im, is_channel, user?, member: bool, bot_member: bool, topic, purpose,
                 num_members, last_ts}    `name` of a DM is the other person's name; only the DM of `user` is listed.
    GET /playground/messages?channel=C…&user=U…&thread_ts=&limit=200
        {ok, messages: [Message]} ordered by ts. Without `thread_ts` the channel: parents (with
        reply_count, reply_users, reply_users_count, latest_reply) and broadcast replies; with it the
        parent and its replies. A Message is Slack's object {type, subtype?, user, bot_id?, username?,
        bot_profile?, text, ts, team, blocks?, thread_ts?, edited?, reactions?: [{name, users, count}],
        files?: [File], metadata?}. The ephemerals of `user` are mixed in with `"ephemeral": true`.
        File    {id, name, title, mimetype, filetype, pretty_type, size, url_private,
                 url_private_download, permalink, user, created, preview?}
                `url_private` is `/playground/files/<id>` on this server.
    GET /playground/views?user=U…            {ok, views: [View]} the stack of open modals, the top one last
    GET /playground/files/<id>               the bytes
    GET /playground/calls?method=            {ok, calls: [{method, args, at, ok, error, status, fault: bool}]}
    GET /playground/status?channel=&thread_ts=   {ok, status: ""} what the bot said that it is doing

Acting (each needs `user`)
    POST /playground/post      {user, channel, text, thread_ts?} -> {ok, ts, message}
         `text` is what was typed: `@ada`, `@sre`, `#ops` become mentions, `& < >` are escaped as Slack's
         client does; `<@U…>` and `<#C…>` are kept.
    POST /playground/command   {user, channel, command: "/agent", text, thread_ts?}
         -> {ok, ack_ms, response?, error?, message?}
         `response` is the body of the acknowledgement; its text also arrives as an ephemeral.
    POST /playground/action    {user, channel, ts, action_id, block_id?, value?, selected_option?,
                                selected_options?, selected_user?, selected_date?, selected_time?, …,
                                state?, ephemeral?, stale?, message?}
         -> {ok, ack_ms, error?}. The real element is looked up in the message as it is now: gone means 409
         `message_changed`; with `stale: true` and a `message` snapshot that one is clicked all the same.
         `state` is {block_id: {action_id: {type, value | selected_option | …}}} for the message's inputs.
         In a modal or on the home tab: {user, view_id, action_id, block_id?, …, state?}.
    POST /playground/view      {user, view_id, action: "submit" | "close", values?, is_cleared?}
         -> {ok, errors?}
         `values` is shaped like `state` above. `errors` is {block_id: sentence}, both from the form's own
         rules (required, length, …) and from the app's `response_action: errors`. The stream says what
         became of the view.
    POST /playground/shortcut  {user, callback_id, channel?, ts?} -> {ok, ack_ms, error?}   with ts: on a message
    POST /playground/suggest   {user, action_id, block_id?, value, view_id? | channel, ts}
         -> {ok, options, option_groups?}    options of an external_select
    POST /playground/home      {user, tab?: "home" | "messages"} -> {ok, view: View | null}
    POST /playground/reaction  {user, channel, ts, name, remove?} -> {ok}
    POST /playground/join      {user, channel, member?: U…, leave?: bool} -> {ok}    e.g. to add the bot
    POST /playground/delete    {user, channel, ts} -> {ok}      people delete their own messages
    POST /playground/dismiss   {user, ts} -> {ok}               hides an ephemeral ("Only visible to you")

Stream
    GET /playground/stream?user=U…    server-sent events, `id:` increasing, a comment line as heartbeat
        every 15 s; `Last-Event-ID` (or `?last_id=`) resumes; where too much was missed the first event is
        `reset` {}: read again.
    message     {change: "posted" | "changed" | "deleted", channel, ts, thread_ts?, message: Message | null}
                a reply changes its parent too, which comes as `changed` with the new reply_count
    ephemeral   {change: "posted" | "changed" | "deleted", channel, ts, thread_ts?, message: Message | null}
    view        {change: "open" | "push" | "update" | "close" | "clear", view: View | null, view_id,
                 views: [View]}    `views` is the stack afterwards, the top one last; show the top one
    home        {view: View}
    connection  {connected: bool, mode}
    status      {channel, thread_ts, status: "is thinking…"}     an empty status clears it
    channel     {channel: {id, …}}                               membership changed: read the state again
    toast       {code: "operation_timeout" | "dispatch_failed" | …, text}    an error for the acting user
    reset       {}

Trials (for tests)
    POST /playground/faults      {method, status? | error?, retry_after?, times?: 1, delay_s?,
                                  when?: "before" | "after", match?: {argument: value}} -> {ok}
         method `*` is every one. `when: after` has the effect and then answers with the failure.
         `status: 0` drops the connection, 429 carries Retry-After. Neither status nor error: only late by `delay_s`.
    GET  /playground/faults      {ok, faults: [… with `left`]}
    DELETE /playground/faults    {ok}
    DELETE /playground/calls     {ok}
    POST /playground/disconnect  {how: "warning" | "refresh_requested" | "drop"} -> {ok, connections}
    POST /playground/redeliver   {event_id?} -> {ok}     the same event (default: the last one) once more
    POST /playground/deliver     {type: "events_api" | "slash_commands" | "interactive", payload}
         -> {ok, ack_ms, response?}    any payload as it is, for forged and repeated ones
"""

import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import ValidationError

from bot.playground import seed, stream
from bot.playground.errors import Refusal
from bot.playground.faults import Fault
from bot.playground.methods import files
from bot.playground.people.clicks import Clicks
from bot.playground.people.members import People, outcome
from bot.playground.playground import Playground
from bot.playground.store import Json
from bot.playground.transport.link import Ack
from bot.playground.transport.socket_mode import DISCONNECT_REASONS

Act = Callable[[seed.Person, Json], Awaitable[Json]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KINDS = ("events_api", "slash_commands", "interactive")


async def _body(request: web.Request) -> Json:
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError as error:
        raise Refusal(400, "invalid_json", "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_json", "The body is not a JSON object.")
    return body


def _guard(inner: Callable[[web.Request], Awaitable[Json]]) -> Handler:
    """JSON out, refusals included."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(await inner(request))
        except Refusal as refused:
            body = {"ok": False, "error": refused.code, "message": refused.message}
            return web.json_response(body, status=refused.status)

    return handler


class Control:
    """The routes under `/playground/`."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._workspace = playground.workspace
        self._people = People(playground)
        self._clicks = Clicks(playground, self._people)

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of each."""
        reads = {
            "state": self._state,
            "messages": self._messages,
            "views": self._views,
            "calls": self._calls,
            "status": self._status,
            "faults": self._faults,
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
        }
        trials = {
            ("POST", "faults"): self._plan_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("DELETE", "calls"): self._clear_calls,
            ("POST", "disconnect"): self._disconnect,
            ("POST", "redeliver"): self._redeliver,
            ("POST", "deliver"): self._deliver,
        }
        return [
            *(("GET", f"/playground/{name}", _guard(read)) for name, read in reads.items()),
            *(("POST", f"/playground/{name}", self._acting(act)) for name, act in acts.items()),
            *((method, f"/playground/{name}", _guard(do)) for (method, name), do in trials.items()),
            ("GET", "/playground/files/{id}", self._download),
            ("GET", "/playground/stream", self._stream),
        ]

    def _acting(self, act: Act) -> Handler:
        async def acted(request: web.Request) -> Json:
            body = await _body(request)
            return await act(self._people.person(body.get("user")), body)

        return _guard(acted)

    async def _state(self, request: web.Request) -> Json:
        user = request.query.get("user")
        workspace = self._workspace
        channels = [channel for channel in workspace.channels.values() if channel.user in (None, user)]
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
        names = ("id", "name", "real_name", "tz", "tz_label", "color", "is_bot", "is_admin")
        return {name: getattr(person, name) for name in names}

    def _channel(self, channel: seed.Channel, user: str | None) -> Json:
        members = self._workspace.store.members(channel.id)
        return {
            "id": channel.id,
            "name": seed.BOT_REAL_NAME if channel.is_im else channel.name,
            "is_im": channel.is_im,
            "is_channel": not channel.is_im,
            "user": seed.BOT_USER if channel.is_im else None,
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

    async def _calls(self, request: web.Request) -> Json:
        method = request.query.get("method")
        calls = [call.shown() for call in self._playground.calls if method in (None, "", call.method)]
        return {"ok": True, "calls": calls}

    async def _status(self, request: web.Request) -> Json:
        key = (request.query.get("channel", ""), request.query.get("thread_ts", ""))
        return {"ok": True, "status": self._workspace.statuses.get(key, "")}

    async def _faults(self, _: web.Request) -> Json:
        return {"ok": True, "faults": self._playground.faults.listed()}

    async def _post(self, person: seed.Person, body: Json) -> Json:
        channel = self._people.channel(person, body.get("channel"))
        return self._people.post(person, channel, str(body.get("text", "")), body.get("thread_ts"))

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

    async def _plan_fault(self, request: web.Request) -> Json:
        try:
            self._playground.faults.plan(Fault.model_validate(await _body(request)))
        except ValidationError as error:
            raise Refusal(400, "invalid_fault", str(error)) from error
        return {"ok": True}

    async def _clear_faults(self, _: web.Request) -> Json:
        self._playground.faults.clear()
        return {"ok": True}

    async def _clear_calls(self, _: web.Request) -> Json:
        self._playground.calls.clear()
        return {"ok": True}

    async def _disconnect(self, request: web.Request) -> Json:
        how = str((await _body(request)).get("how", "warning"))
        if how not in (*DISCONNECT_REASONS, "drop"):
            raise Refusal(400, "invalid_how", f"`how` is drop or one of {', '.join(DISCONNECT_REASONS)}.")
        return {"ok": True, "connections": await self._playground.delivery.sockets.disconnect(how)}

    async def _redeliver(self, request: web.Request) -> Json:
        ack = await self._playground.delivery.tell_again((await _body(request)).get("event_id"))
        if ack is None:
            raise Refusal(404, "event_not_found", "There is no such event, or nobody to send it to.")
        return self._delivered(ack)

    async def _deliver(self, request: web.Request) -> Json:
        body = await _body(request)
        kind, payload = body.get("type"), body.get("payload")
        if kind not in KINDS or not isinstance(payload, dict):
            raise Refusal(
                400, "invalid_delivery", f"`type` is one of {', '.join(KINDS)}, `payload` an object."
            )
        return self._delivered(await self._playground.delivery.ask(kind, payload))

    def _delivered(self, ack: Ack) -> Json:
        return {**outcome(self._playground, "", ack), "response": ack.payload}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        attachment = "download" in request.query
        return files.download(self._playground, request.match_info["id"], attachment=attachment)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        return await stream.serve(self._playground.hub, request)
