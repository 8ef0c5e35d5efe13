"""The ids of people and channels with the workspace in which they count: `T1/U1`, and `U1` of the first workspace."""

from __future__ import annotations


def qualified(team: str, ident: str) -> str:
    """Return an id as it is told from the same one in other workspaces."""
    return f"{team}/{ident}" if team and ident else ident


def bare(ident: str) -> str:
    """Return an id, with or without the prefix of actors, as Slack knows it in its workspace."""
    return ident.removeprefix("slack:").rpartition("/")[2]


def team_of(ident: str) -> str:
    """Return the workspace of an id, with or without the prefix of actors; empty for the first one."""
    return ident.removeprefix("slack:").rpartition("/")[0]


def actor_id(team: str, user: str) -> str:
    """Return the id of the actor who is a person of a workspace."""
    return f"slack:{qualified(team, user)}"
