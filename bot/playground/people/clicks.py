"""Actions of people on what the app shows: buttons, menus, modals and shortcuts."""

from typing import Any

from bot.playground import seed
from bot.playground.block_kit.blocks import check_view
from bot.playground.block_kit.elements import BUTTONS
from bot.playground.errors import Refusal, SlackError
from bot.playground.people import forms, payloads
from bot.playground.people.members import People, outcome
from bot.playground.playground import Playground
from bot.playground.store import Json

CHOSEN = {field for field, _ in forms.STATE_FIELDS.values()} - {"value"}
TROUBLE = "We had some trouble connecting. Try again?"
GONE = "This button is no longer in the message: it was changed in the meantime."


class Clicks:
    """Handlers of these actions; each returns the body that answers the page."""

    def __init__(self, playground: Playground, people: People) -> None:
        self._playground = playground
        self._workspace = playground.workspace
        self._people = people

    async def action(self, person: seed.Person, body: Json) -> Json:
        """Click a button or choose from a menu, in a message or in a view."""
        place = self._in_view if body.get("view_id") else self._in_message
        payload = place(person, body)
        ack = await self._playground.delivery.ask("interactive", payload)
        return outcome(self._playground, person.id, ack)

    def _in_message(self, person: seed.Person, body: Json) -> Json:
        channel = self._people.channel(person, body.get("channel"))
        message = self._clicked_message(person, channel, body)
        blocks = message.get("blocks") or []
        actions = [self._action(blocks, body)]
        values = forms.state_values(blocks, _values(body.get("state")))
        return payloads.message_actions(self._playground, person, channel, message, actions, values)

    def _clicked_message(self, person: seed.Person, channel: seed.Channel, body: Json) -> Json:
        """Return the message as stored, or for a stale click the copy that the page sent."""
        snapshot = body.get("message")
        if body.get("stale") and isinstance(snapshot, dict):
            return snapshot
        ts = str(body.get("ts", ""))
        if body.get("ephemeral"):
            whispers = self._workspace.ephemerals[person.id]
            found = next(
                (message for place, message in whispers if place == channel.id and message["ts"] == ts), None
            )
            if found is None:
                raise Refusal(404, "message_not_found", "This message is no longer there.")
            return found
        return self._workspace.shown(channel.id, self._people.message(channel, ts))

    def _in_view(self, person: seed.Person, body: Json) -> Json:
        view = self._view(person, body.get("view_id"))
        actions = [self._action(view["blocks"], body)]
        values = forms.state_values(view["blocks"], _values(body.get("state")))
        return payloads.view_actions(self._playground, person, view, actions, values)

    def _view(self, person: seed.Person, view_id: Any) -> Json:
        try:
            owner, view = self._playground.modals.find(str(view_id))
        except SlackError as error:
            raise Refusal(404, "view_not_found", "This window is no longer open.") from error
        if owner != person.id:
            raise Refusal(404, "view_not_found", "This window belongs to somebody else.")
        return view

    def _action(self, blocks: list[Json], body: Json) -> Json:
        found = forms.find(blocks, str(body.get("action_id", "")), body.get("block_id"))
        if found is None:
            raise Refusal(409, "message_changed", GONE)
        block, element = found
        value = body.get("value")
        if element["type"] in BUTTONS and value is not None and value != element.get("value"):
            raise Refusal(409, "message_changed", GONE)
        chosen = {name: part for name, part in body.items() if name in CHOSEN}
        if element["type"] not in BUTTONS and value is not None:
            chosen["value"] = value
        return payloads.action(element, block, chosen, self._workspace.next_ts())

    async def view(self, person: seed.Person, body: Json) -> Json:
        """Submit or close a modal view."""
        view = self._view(person, body.get("view_id"))
        if body.get("action") == "close":
            return await self._close(person, view, cleared=bool(body.get("is_cleared")))
        if body.get("action") != "submit":
            raise Refusal(400, "invalid_action", "`action` is `submit` or `close`.")
        values = forms.state_values(view["blocks"], _values(body.get("values")))
        mistakes = forms.mistakes(view["blocks"], values)
        if mistakes:
            return {"ok": False, "errors": mistakes}
        payload = payloads.submission(self._playground, person, view, values)
        ack = await self._playground.delivery.ask("interactive", payload)
        if not ack.ok:
            return {**outcome(self._playground, person.id, ack), "message": TROUBLE}
        try:
            return await self._submitted(person, view, ack.payload or {})
        except SlackError as refusal:
            self._playground.toast(person.id, refusal.code, TROUBLE)
            return {**refusal.answer(), "message": TROUBLE}

    async def _submitted(self, person: seed.Person, view: Json, answer: Json) -> Json:
        """Apply the app's `response_action` to the view. Raises SlackError if it is invalid."""
        modals = self._playground.modals
        match answer.get("response_action"):
            case "errors":
                errors = answer.get("errors")
                inputs = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
                if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
                    raise SlackError("invalid_arguments", ["errors must name input blocks of the view"])
                return {"ok": False, "errors": errors}
            case "update":
                modals.update(person.id, view["id"], check_view(answer.get("view"), "modal"))
            case "push":
                modals.push(person.id, check_view(answer.get("view"), "modal"))
            case "clear":
                modals.clear(person.id)
            case None:
                modals.close(person.id, view["id"])
            case _:
                raise SlackError("invalid_arguments", ["unknown response_action"])
        return {"ok": True}

    async def _close(self, person: seed.Person, view: Json, *, cleared: bool) -> Json:
        modals = self._playground.modals
        gone = modals.clear(person.id) if cleared else modals.close(person.id, view["id"])
        for closed in gone:
            if closed["notify_on_close"]:
                whole = cleared or len(gone) > 1
                payload = payloads.closed(person, closed, cleared=whole)
                await self._playground.delivery.ask("interactive", payload)
        return {"ok": True}

    async def shortcut(self, person: seed.Person, body: Json) -> Json:
        """Run a shortcut that the manifest declares."""
        callback_id = str(body.get("callback_id", ""))
        known = {shortcut.callback_id for shortcut in self._workspace.manifest.shortcuts}
        if callback_id not in known or person.is_external:
            raise Refusal(404, "shortcut_not_found", "The app has no such shortcut.")
        channel = message = None
        if body.get("ts"):
            channel = self._people.channel(person, body.get("channel"))
            message = self._people.message(channel, body["ts"])
        stamp = self._workspace.next_ts()
        payload = payloads.shortcut(self._playground, person, callback_id, channel, message, stamp)
        ack = await self._playground.delivery.ask("interactive", payload)
        return outcome(self._playground, person.id, ack)

    async def suggest(self, person: seed.Person, body: Json) -> Json:
        """Return the options that the app offers in an external menu for the text typed."""
        if body.get("view_id"):
            view = self._view(person, body["view_id"])
            blocks, place = (
                view["blocks"],
                {"view": view, "container": {"type": "view", "view_id": view["id"]}},
            )
        else:
            channel = self._people.channel(person, body.get("channel"))
            message = self._people.message(channel, body.get("ts"))
            container = {"type": "message", "message_ts": message["ts"], "channel_id": channel.id}
            blocks, place = message.get("blocks", []), {"message": message, "container": container}
        found = forms.find(blocks, str(body.get("action_id", "")), body.get("block_id"))
        if found is None:
            raise Refusal(409, "message_changed", GONE)
        typed = str(body.get("value", ""))
        ids = (str(found[0]["block_id"]), str(found[1]["action_id"]))
        payload = payloads.suggestion(person, *ids, typed, place)
        ack = await self._playground.delivery.ask("interactive", payload)
        answer = ack.payload or {}
        groups = {"option_groups": answer["option_groups"]} if "option_groups" in answer else {}
        return {"ok": ack.ok, "options": answer.get("options", []), **groups}


def _values(given: Any) -> forms.Values:
    """Return the state that the page sent, without the parts that do not have the shape of `Values`."""
    blocks = given if isinstance(given, dict) else {}
    return {
        block: {action: state for action, state in inside.items() if isinstance(state, dict)}
        for block, inside in blocks.items()
        if isinstance(inside, dict)
    }
