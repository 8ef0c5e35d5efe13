"""The place of a session in Slack, which is stored in its origin; only this module knows the format."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.team_ids import bare, qualified, team_of
from supervisor.core.events.base import WORKSPACE, workspace_of
from supervisor.core.messages import Json
from supervisor.core.state import Session

KEY = "slack"


@dataclass(frozen=True)
class Place:
    """A channel of a workspace, and the thread that the session is shown in (empty: its card begins one)."""

    channel: str
    user: str = ""
    thread_ts: str = ""
    team: str = ""

    def origin(self) -> Json:
        slack = {"channel": self.channel, "user": self.user, "thread_ts": self.thread_ts}
        workspace = {WORKSPACE: self.team} if self.team else {}
        return {KEY: {key: value for key, value in slack.items() if value}, **workspace}

    @property
    def key(self) -> str:
        """The place as no other workspace has it, which tells which session is shown there."""
        return f"{qualified(self.team, self.channel)}:{self.thread_ts}"

    @property
    def shown(self) -> str:
        """The channel in mrkdwn; empty for a direct conversation."""
        return f"<#{self.channel}>" if self.channel[:1] in ("C", "G") and self.channel.isalnum() else ""

    @classmethod
    def of(cls, session: Session) -> Place | None:
        """Return the place of a session; None where it is not shown in Slack."""
        channel = channel_of(session.origin)
        if not channel:
            return None
        slack = session.origin[KEY]
        # Sub-agents and copies inherit the channel, and each begins its own thread there.
        inherited = session.lineage is not None or session.forked is not None
        thread_ts = "" if inherited else str(slack.get("thread_ts", ""))
        return cls(channel, str(slack.get("user", "")), thread_ts, workspace_of(session.origin))


def in_slack(session: Session) -> bool:
    """Return whether the session was launched to be seen in Slack."""
    return KEY in session.origin


def channel_of(origin: Json) -> str:
    """Return the id of the channel in an origin; empty where the session or schedule is not shown in Slack."""
    slack = origin.get(KEY)
    return str(slack.get("channel") or "") if isinstance(slack, dict) else ""


class SlackChannels:
    """Reads and writes the channel in origins for the contract, which does not know the format.

    A channel of another workspace than the first one is `T…/C…`.
    """

    def origin_of(self, channel: str) -> Json:
        return Place(bare(channel), team=team_of(channel)).origin()

    def channel_of(self, origin: Json) -> str | None:
        return qualified(workspace_of(origin), channel_of(origin)) or None
