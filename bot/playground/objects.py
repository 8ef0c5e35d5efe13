"""Users and conversations in the form in which the Web API returns them.

https://docs.slack.dev/reference/objects/user-object and
https://docs.slack.dev/reference/objects/conversation-object
"""

from bot.playground import seed
from bot.playground.store import Json
from bot.playground.workspace import JOINED, Workspace


def user_object(workspace: Workspace, person: seed.Person) -> Json:
    """Return a user as in `users.info`; a deactivated user has only a few fields."""
    names = {
        "real_name": person.real_name,
        "real_name_normalized": person.real_name,
        "display_name": person.name,
        "display_name_normalized": person.name,
    }
    frame: Json = {
        "id": person.id,
        "team_id": person.team_id,
        "name": person.name,
        "deleted": person.deleted,
        "is_bot": person.is_bot,
        "is_app_user": False,
        "updated": JOINED,
    }
    profile: Json = {**names, "team": person.team_id}
    if person.is_bot:
        bot_id = seed.BOT_ID if person.id == seed.BOT_USER else "B" + person.id[1:]
        app_id = seed.APP_ID if person.id == seed.BOT_USER else "A" + person.id[1:]
        profile |= {"bot_id": bot_id, "api_app_id": app_id}
    elif not person.is_external and workspace.has_scope("users:read.email"):
        profile["email"] = f"{person.name}@example.com"
    if person.deleted:
        return {**frame, "profile": profile}
    external = {"is_stranger": workspace.is_stranger(person)} if person.is_external else {}
    return {
        **frame,
        "profile": profile,
        "color": person.color,
        "real_name": person.real_name,
        "tz": person.tz,
        "tz_label": person.tz_label,
        "tz_offset": person.tz_offset,
        "is_admin": person.is_admin,
        "is_owner": person.is_admin,
        "is_primary_owner": person.is_admin,
        "is_restricted": person.is_restricted or person.is_ultra_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        **external,
    }


def conversation_object(workspace: Workspace, channel: seed.Channel) -> Json:
    """Return a conversation as in `conversations.info`; direct messages have only a few fields."""
    frame: Json = {
        "id": channel.id,
        "created": JOINED,
        "is_archived": channel.is_archived,
        "is_im": channel.is_im,
        "is_org_shared": False,
        "context_team_id": seed.TEAM_ID,
    }
    members = workspace.store.members(channel.id)
    if channel.is_im:
        other = channel.user or (members[0] if members else "")
        person = workspace.people.get(other)
        return {**frame, "user": other, "is_user_deleted": bool(person and person.deleted), "is_open": True}
    described = {"creator": seed.PEOPLE[0].id, "last_set": JOINED}
    shared = {"shared_team_ids": [seed.TEAM_ID, *channel.teams], "connected_team_ids": list(channel.teams)}
    return {
        **frame,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": channel.kind != "mpim",
        # `is_group` is true only for group messages and for private channels created before 2021.
        "is_group": channel.kind == "mpim",
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.is_private,
        "is_general": False,
        "is_shared": channel.is_shared,
        "is_ext_shared": channel.is_shared,
        "is_pending_ext_shared": False,
        "creator": seed.PEOPLE[0].id,
        "is_member": seed.BOT_USER in members,
        "topic": {"value": "", **described},
        "purpose": {"value": channel.purpose, **described},
        "num_members": len(members),
        **(shared if channel.is_shared else {"shared_team_ids": [seed.TEAM_ID]}),
    }
