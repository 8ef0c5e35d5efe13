"""The methods `users.*`, `usergroups.*`, `bots.*`, `team.*`, `auth.test` and `apps.connections.open`."""

from bot.playground import seed
from bot.playground.errors import SlackError
from bot.playground.methods.call import Call, Method
from bot.playground.objects import user_object
from bot.playground.store import Json
from bot.playground.workspace import JOINED


async def auth_test(call: Call) -> Json:
    """Return the identity of the bot (`auth.test`)."""
    return {
        "url": f"{call.playground.base_url}/",
        "team": seed.TEAM_NAME,
        "user": seed.BOT_NAME,
        "team_id": seed.TEAM_ID,
        "user_id": seed.BOT_USER,
        "bot_id": seed.BOT_ID,
        "is_enterprise_install": False,
    }


async def open_connection(call: Call) -> Json:
    """Return a websocket URL (`apps.connections.open`); it is valid once, for `ticket_s` seconds."""
    ticket = call.playground.delivery.sockets.ticket(call.playground.settings.ticket_s)
    address = call.playground.base_url.replace("http", "ws", 1)
    return {"url": f"{address}/link?ticket={ticket}&app_id={seed.APP_ID}"}


async def user_info(call: Call) -> Json:
    """Return a user (`users.info`)."""
    return {"user": user_object(call.playground.workspace, call.person())}


async def list_users(call: Call) -> Json:
    """Return all users on one page (`users.list`)."""
    workspace = call.playground.workspace
    people = [user_object(workspace, person) for person in workspace.people.values()]
    return {"members": people, "cache_ts": JOINED, "response_metadata": {"next_cursor": ""}}


async def lookup_by_email(call: Call) -> Json:
    """Return the user with an e-mail address (`users.lookupByEmail`)."""
    name, _, domain = call.need("email").partition("@")
    person = call.playground.workspace.find_person(name) if domain == "example.com" else None
    if person is None or person.is_bot or person.is_external or person.deleted:
        raise SlackError("users_not_found")
    return {"user": user_object(call.playground.workspace, person)}


def _group(group: seed.Group, *, with_users: bool) -> Json:
    users: Json = {"users": list(group.users)} if with_users else {}
    return {
        "id": group.id,
        "team_id": seed.TEAM_ID,
        "is_usergroup": True,
        "name": group.name,
        "description": "",
        "handle": group.handle,
        "is_external": False,
        "date_create": JOINED,
        "date_update": JOINED,
        "date_delete": 0,
        "created_by": seed.PEOPLE[0].id,
        "updated_by": seed.PEOPLE[0].id,
        "user_count": len(group.users),
        "prefs": {"channels": [], "groups": []},
        **users,
    }


def _need_groups(call: Call) -> None:
    """Raise the SlackError in the settings; Slack uses `plan_upgrade_required` and `paid_teams_only`."""
    if call.playground.settings.usergroups_error:
        raise SlackError(call.playground.settings.usergroups_error)


async def list_groups(call: Call) -> Json:
    """Return all user groups (`usergroups.list`)."""
    _need_groups(call)
    with_users = call.flag("include_users")
    groups = call.playground.workspace.groups.values()
    return {"usergroups": [_group(group, with_users=with_users) for group in groups]}


async def group_users(call: Call) -> Json:
    """Return the user ids in a user group (`usergroups.users.list`)."""
    _need_groups(call)
    group = call.playground.workspace.groups.get(call.need("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


async def bot_info(call: Call) -> Json:
    """Return the bot (`bots.info`)."""
    if call.text("bot", seed.BOT_ID) != seed.BOT_ID:
        raise SlackError("bot_not_found")
    bot = {
        "id": seed.BOT_ID,
        "deleted": False,
        "name": seed.BOT_REAL_NAME,
        "updated": JOINED,
        "app_id": seed.APP_ID,
        "user_id": seed.BOT_USER,
        "icons": {},
    }
    return {"bot": bot}


async def team_info(call: Call) -> Json:
    """Return the workspace (`team.info`)."""
    team = {
        "id": seed.TEAM_ID,
        "name": seed.TEAM_NAME,
        "url": f"{call.playground.base_url}/",
        "domain": seed.TEAM_DOMAIN,
        "email_domain": "example.com",
        "icon": {"image_default": True},
    }
    return {"team": team}


METHODS: dict[str, Method] = {
    "auth.test": auth_test,
    "apps.connections.open": open_connection,
    "users.info": user_info,
    "users.list": list_users,
    "users.lookupByEmail": lookup_by_email,
    "usergroups.list": list_groups,
    "usergroups.users.list": group_users,
    "bots.info": bot_info,
    "team.info": team_info,
}
