"""Where a session lives in Slack, as kept in its origin."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.core.messages import Json
from supervisor.core.state import Session


@dataclass(frozen=True)
class Place:
    """A channel, and the thread that the session joins (empty: its card begins one)."""

    channel: str
    user: str = ""
    thread_ts: str = ""

    def origin(self) -> Json:
        slack = {"channel": self.channel, "user": self.user, "thread_ts": self.thread_ts}
        return {"slack": {key: value for key, value in slack.items() if value}}

    @property
    def shown(self) -> str:
        """The channel in mrkdwn; empty for a direct conversation."""
        return f"<#{self.channel}>" if self.channel[:1] in ("C", "G") and self.channel.isalnum() else ""

    @classmethod
    def of(cls, session: Session) -> Place | None:
        """None for a session that does not show itself in Slack."""
        slack = session.origin.get("slack")
        if not isinstance(slack, dict) or not slack.get("channel"):
            return None
        # Sub-agents and copies inherit the channel; each begins a thread of its own there.
        inherited = session.lineage is not None or session.forked is not None
        thread_ts = "" if inherited else str(slack.get("thread_ts", ""))
        return cls(str(slack["channel"]), str(slack.get("user", "")), thread_ts)


class SlackChannels:
    """The channel of a session, as the contract asks for it."""

    def origin_of(self, channel: str) -> Json:
        return Place(channel).origin()

    def channel_of(self, origin: Json) -> str | None:
        slack = origin.get("slack")
        return slack.get("channel") if isinstance(slack, dict) else None
