"""To which workspaces a person belongs, and what kind of person that makes them for Flagman.

In an Enterprise organisation `team_id` may be the id of the organisation (`E…`) where a workspace (`T…`) is expected:
it says nothing of a workspace, and `enterprise_user.teams` does. See
https://docs.slack.dev/enterprise/developing-for-enterprise-orgs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from supervisor.core.events.base import ActorKind


@dataclass(frozen=True)
class Home:
    """Where Flagman is installed: a workspace, or an organisation with all of its workspaces.

    `within`: a workspace of an organisation that has Flagman, whose tools see the channels of all its workspaces.
    """

    id: str
    within: bool = False

    @classmethod
    def of(cls, identity: Mapping[str, Any]) -> Home:
        """The home in the answer of `auth.test`, which names no workspace for an app of a whole organisation."""
        team, organisation = str(identity.get("team_id") or ""), str(identity.get("enterprise_id") or "")
        whole = bool(identity.get("is_enterprise_install")) or not team
        return cls(organisation or team if whole else team)

    @property
    def is_organisation(self) -> bool:
        return self.id.startswith("E")

    @property
    def has_others(self) -> bool:
        """Whether Flagman sees channels there of which a member may see nothing."""
        return self.within or self.is_organisation

    def kind(self, user: Mapping[str, Any], admitted: Collection[str]) -> ActorKind:
        """The kind of a person as `users.info` describes them; members of the teams `admitted` count as at home."""
        if user.get("deleted"):
            return "deactivated"
        if user.get("is_bot") or user.get("is_workflow_bot") or user.get("id") == "USLACKBOT":
            return "bot"
        if user.get("is_stranger") or not set(teams_of(user)) & {self.id, *admitted}:
            return "external"
        if user.get("is_restricted") or user.get("is_ultra_restricted"):
            return "guest"
        return "member"


def teams_of(user: Mapping[str, Any]) -> tuple[str, ...]:
    """The workspaces of a person, and their organisation if there is one."""
    enterprise = user.get("enterprise_user") or {}
    found = [user.get("team_id"), *(enterprise.get("teams") or ()), enterprise.get("enterprise_id")]
    return tuple(dict.fromkeys(str(team) for team in found if team))


def workspaces_of(channel: Mapping[str, Any]) -> frozenset[str]:
    """The workspaces in which a channel is, as `conversations.info` says; none where it does not."""
    lists = [channel.get(name) or () for name in ("shared_team_ids", "internal_team_ids")]
    found = [channel.get("context_team_id"), *(team for teams in lists for team in teams)]
    return frozenset(str(team) for team in found if str(team or "").startswith("T"))
