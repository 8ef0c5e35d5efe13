"""The methods `views.*`."""

from bot.playground.block_kit.blocks import check_view
from bot.playground.errors import SlackError
from bot.playground.methods.call import Call, Method
from bot.playground.store import Json
from bot.playground.triggers import Trigger


def _trigger(call: Call) -> Trigger:
    """Return the trigger that the call names. Raises SlackError if it was used or has expired."""
    return call.playground.triggers.look(call.need("trigger_id"))


async def open_view(call: Call) -> Json:
    """Open a modal (`views.open`); an invalid view does not use up the trigger."""
    trigger = _trigger(call)
    definition = check_view(call.args.get("view"), "modal")
    view = call.playground.modals.open(trigger.user, definition)
    trigger.used = True
    return {"view": view}


async def push(call: Call) -> Json:
    """Push a view onto the open modal (`views.push`)."""
    trigger = _trigger(call)
    definition = check_view(call.args.get("view"), "modal")
    view = call.playground.modals.push(trigger.user, definition)
    trigger.used = True
    return {"view": view}


async def update(call: Call) -> Json:
    """Replace a view, found by `view_id` or `external_id` (`views.update`)."""
    view_id, external_id = call.text("view_id"), call.text("external_id")
    if not view_id and not external_id:
        raise SlackError("invalid_arguments", ["must provide either `view_id` or `external_id`"])
    modals = call.playground.modals
    user, view = modals.find(view_id or None, external_id or None)
    definition = check_view(call.args.get("view"), str(view["type"]))
    if view["type"] == "home":
        return {"view": modals.publish(user, definition, call.text("hash") or None)}
    return {"view": modals.update(user, view["id"], definition, call.text("hash") or None)}


async def publish(call: Call) -> Json:
    """Publish a person's home tab (`views.publish`)."""
    user = call.text("user_id")
    if user not in call.playground.workspace.people:
        raise SlackError("user_not_found")
    definition = check_view(call.args.get("view"), "home")
    return {"view": call.playground.modals.publish(user, definition, call.text("hash") or None)}


METHODS: dict[str, Method] = {
    "views.open": open_view,
    "views.push": push,
    "views.update": update,
    "views.publish": publish,
}
