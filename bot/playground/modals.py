"""The open modals and the home tab of each person."""

import secrets

from bot.playground import seed
from bot.playground.errors import SlackError
from bot.playground.hub import Hub
from bot.playground.store import Json, Store
from bot.playground.workspace import new_id

STACK = 3


def _stored_view(definition: Json, view_id: str, root: str | None, previous: str | None) -> Json:
    """Return a view in the form in which Slack returns it."""
    modal = definition["type"] == "modal"
    return {
        "id": view_id,
        "team_id": seed.TEAM_ID,
        "type": definition["type"],
        "blocks": definition["blocks"],
        "private_metadata": definition.get("private_metadata", ""),
        "callback_id": definition.get("callback_id", ""),
        "state": {"values": {}},
        "hash": f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}",
        "title": definition.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
        "clear_on_close": bool(definition.get("clear_on_close")),
        "notify_on_close": bool(definition.get("notify_on_close")),
        "close": definition.get("close"),
        "submit": definition.get("submit"),
        "submit_disabled": bool(definition.get("submit_disabled")) if modal else False,
        "previous_view_id": previous,
        "root_view_id": root or view_id,
        "app_id": seed.APP_ID,
        "external_id": definition.get("external_id", ""),
        "app_installed_team_id": seed.TEAM_ID,
        "bot_id": seed.BOT_ID,
    }


class Modals:
    """A stack of at most three modal views and one home tab for each person."""

    def __init__(self, store: Store, hub: Hub) -> None:
        self._store = store
        self._hub = hub
        self._stacks: dict[str, list[Json]] = {}
        self.homes = store.homes()

    def stack(self, user: str) -> list[Json]:
        """Return the open modal views of a user, the top one last."""
        return list(self._stacks.get(user, ()))

    def owner(self, view_id: str) -> str | None:
        """Return the user who has this modal view open or whose home tab it is, or None."""
        for user, stack in self._stacks.items():
            if any(view["id"] == view_id for view in stack):
                return user
        return next((user for user, view in self.homes.items() if view["id"] == view_id), None)

    def find(self, view_id: str | None, external_id: str | None = None) -> tuple[str, Json]:
        """Return the user who sees a view, and the view. Raises SlackError `not_found`."""
        for user, stack in self._stacks.items():
            for view in stack:
                if view["id"] == view_id or (external_id and view["external_id"] == external_id):
                    return user, view
        for user, view in self.homes.items():
            if view["id"] == view_id or (external_id and view["external_id"] == external_id):
                return user, view
        raise SlackError("not_found")

    def open(self, user: str, definition: Json) -> Json:
        """Open a modal in place of all that the user had open."""
        self._no_twin(definition)
        view = _stored_view(definition, new_id("V"), None, None)
        self._stacks[user] = [view]
        return self._told("open", user, view)

    def push(self, user: str, definition: Json) -> Json:
        """Push a view onto the user's stack. Raises SlackError if the stack is empty or full."""
        stack = self._stacks.get(user)
        if not stack:
            raise SlackError("not_found")
        if len(stack) >= STACK:
            raise SlackError("push_limit_reached")
        self._no_twin(definition)
        view = _stored_view(definition, new_id("V"), stack[0]["id"], stack[-1]["id"])
        stack.append(view)
        return self._told("push", user, view)

    def update(self, user: str, view_id: str, definition: Json, known_hash: str | None = None) -> Json:
        """Replace an open modal view. Raises SlackError if it is not found or `known_hash` is outdated."""
        stack = self._stacks.get(user, [])
        for index, old in enumerate(stack):
            if old["id"] != view_id:
                continue
            if known_hash and known_hash != old["hash"]:
                raise SlackError("hash_conflict")
            view = _stored_view(definition, view_id, old["root_view_id"], old["previous_view_id"])
            stack[index] = view
            return self._told("update", user, view)
        raise SlackError("not_found")

    def publish(self, user: str, definition: Json, known_hash: str | None = None) -> Json:
        """Replace the user's home tab. Raises SlackError if `known_hash` is outdated."""
        old = self.homes.get(user)
        if known_hash and old and known_hash != old["hash"]:
            raise SlackError("hash_conflict")
        view = _stored_view(definition, old["id"] if old else new_id("V"), None, None)
        self.homes[user] = view
        self._store.put_home(user, view)
        self._hub.publish("home", {"view": view}, frozenset({user}))
        return view

    def close(self, user: str, view_id: str) -> list[Json]:
        """Close a view and those above it, or all if it has `clear_on_close`; return the closed views."""
        stack = self._stacks.get(user, [])
        at = next((index for index, view in enumerate(stack) if view["id"] == view_id), None)
        if at is None:
            return []
        gone = stack if stack[at]["clear_on_close"] else stack[at:]
        self._stacks[user] = [view for view in stack if view not in gone]
        self._told("close", user, None, view_id)
        return gone

    def clear(self, user: str) -> list[Json]:
        """Close all modal views of a user and return them."""
        gone = self._stacks.pop(user, [])
        self._told("clear", user, None, gone[-1]["id"] if gone else "")
        return gone

    def _no_twin(self, definition: Json) -> None:
        external = definition.get("external_id")
        taken = {view["external_id"] for stack in self._stacks.values() for view in stack}
        if external and external in taken:
            raise SlackError("duplicate_external_id")

    def _told(self, change: str, user: str, view: Json | None, view_id: str = "") -> Json:
        body = {
            "change": change,
            "view": view,
            "view_id": view["id"] if view else view_id,
            "views": self.stack(user),
        }
        self._hub.publish("view", body, frozenset({user}))
        return view or {}
