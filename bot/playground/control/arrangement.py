"""Control routes that add or change people, channels and settings of the workspace."""

from dataclasses import asdict, fields
from typing import Any, TypeVar

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from bot.playground import seed
from bot.playground.control.json_routes import Route, as_json, read_body
from bot.playground.errors import Refusal
from bot.playground.objects import conversation_object, user_object
from bot.playground.playground import Playground
from bot.playground.store import Json
from bot.playground.workspace import new_id

Made = TypeVar("Made", seed.Person, seed.Channel)
NEW_PERSON = {
    "tz": "Europe/London",
    "tz_label": "Greenwich Mean Time",
    "tz_offset": 0,
    "color": "674b1b",
}


class Arrangement:
    """Routes of the workspace's administration; a known `id` changes that person or channel."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._workspace = playground.workspace

    def routes(self) -> list[Route]:
        """Return the method, path and handler of each route."""
        return [
            ("POST", "/playground/people", as_json(self._person)),
            ("POST", "/playground/channels", as_json(self._channel)),
            ("GET", "/playground/settings", as_json(self._settings)),
            ("POST", "/playground/settings", as_json(self._change_settings)),
        ]

    async def _person(self, request: web.Request) -> Json:
        body = await read_body(request)
        known = self._workspace.people.get(str(body.get("id", "")))
        before = asdict(known) if known else {**NEW_PERSON, "id": new_id("U")}
        if known is None:
            before["real_name"] = str(body.get("name", "")).title()
        person = _made(seed.Person, before, body)
        self._workspace.put_person(person)
        self._tell()
        user = user_object(self._workspace, person)
        if known:
            self._playground.events.person_changed(user)
        return {"ok": True, "user": user}

    async def _channel(self, request: web.Request) -> Json:
        body = await read_body(request)
        members = body.pop("members", None)
        if members is not None and not _all_known(members, self._workspace.people):
            raise Refusal(404, "user_not_found", "`members` is a list of the ids of people of the workspace.")
        known = self._workspace.channels.get(str(body.get("id", "")))
        before: Json = asdict(known) if known else {"id": new_id("D" if body.get("kind") == "im" else "C")}
        if body.get("kind") == "im":
            before["name"] = "directmessage"
        channel = _made(seed.Channel, before, body)
        self._workspace.put_channel(channel, members)
        self._tell()
        return {"ok": True, "channel": conversation_object(self._workspace, channel)}

    async def _settings(self, _: web.Request) -> Json:
        return {"ok": True, "settings": self._playground.settings.model_dump()}

    async def _change_settings(self, request: web.Request) -> Json:
        try:
            self._playground.settings.change(await read_body(request))
        except ValidationError as error:
            raise Refusal(400, "invalid_settings", str(error)) from error
        return {"ok": True, "settings": self._playground.settings.model_dump()}

    def _tell(self) -> None:
        """Make all open pages read the whole state again."""
        self._playground.hub.publish("channel", {"channel": {}})


def _all_known(members: Any, people: dict[str, seed.Person]) -> bool:
    return isinstance(members, list) and all(isinstance(name, str) and name in people for name in members)


def _made(kind: type[Made], before: Json, body: Json) -> Made:
    """Return an object of `kind` with the fields of `before` updated by `body`. Raises Refusal."""
    unknown = set(body) - {field.name for field in fields(kind)}
    try:
        if unknown:
            raise ValueError(f"there is no {', '.join(sorted(unknown))}")
        return TypeAdapter(kind).validate_python({**before, **body})
    except ValueError as error:
        raise Refusal(400, "invalid_arrangement", str(error)) from error
