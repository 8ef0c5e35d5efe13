"""Initial people, channels and groups of the workspace, with fixed ids that tests can rely on."""

from dataclasses import dataclass
from typing import Literal

TEAM_ID = "T0PLAYGRD1"
TEAM_NAME = "Flagman playground"
TEAM_DOMAIN = "flagman-playground"
SLACKBOT = "USLACKBOT"
APP_ID = "A0FLAGMAN1"
BOT_ID = "B0FLAGMAN1"
BOT_USER = "U0FLAGMAN1"
BOT_NAME = "flagman"
BOT_REAL_NAME = "Flagman"
VERIFICATION_TOKEN = "playground-verification-token"  # noqa: S105  Slack sends a deprecated one too


Kind = Literal["public", "private", "mpim", "im"]


@dataclass(frozen=True)
class Person:
    """A member, a guest, a bot, or a person of another workspace, whose `team_id` is not `TEAM_ID`."""

    id: str
    name: str
    real_name: str
    tz: str
    tz_label: str
    tz_offset: int
    color: str
    is_admin: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    deleted: bool = False
    team_id: str = TEAM_ID

    @property
    def is_external(self) -> bool:
        """Whether the person belongs to another workspace and is here through a shared channel."""
        return self.team_id != TEAM_ID

    @property
    def sees_only_own(self) -> bool:
        """Whether the person sees even public channels only as their member."""
        return self.is_external or self.is_restricted or self.is_ultra_restricted


@dataclass(frozen=True)
class Channel:
    """A channel or direct messages; for direct messages with the bot, `user` is the other person.

    `teams` are the other workspaces with which the channel is shared (Slack Connect).
    """

    id: str
    name: str
    purpose: str = ""
    user: str | None = None
    kind: Kind = "public"
    is_archived: bool = False
    teams: tuple[str, ...] = ()

    @property
    def is_im(self) -> bool:
        """Whether these are direct messages between two people."""
        return self.kind == "im"

    @property
    def is_private(self) -> bool:
        """Whether only members see it."""
        return self.kind != "public"

    @property
    def is_shared(self) -> bool:
        """Whether it is shared with another workspace."""
        return bool(self.teams)


@dataclass(frozen=True)
class Group:
    """A user group."""

    id: str
    handle: str
    name: str
    users: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """A slash command of the app; with `should_escape` Slack sends `@ada` as `<@U…|ada>`."""

    command: str
    usage_hint: str = ""
    description: str = ""
    should_escape: bool = False


@dataclass(frozen=True)
class Shortcut:
    """A shortcut of the app, global or on a message."""

    callback_id: str
    name: str
    type: Literal["global", "message"] = "global"


PEOPLE = (
    Person(
        "U0ADA0001", "ada", "Ada Lovelace", "Europe/Berlin", "Central European Time", 3600, "9f69e7", True
    ),
    Person(
        "U0GRACE01",
        "grace",
        "Grace Hopper",
        "America/New_York",
        "Eastern Standard Time",
        -18000,
        "4bbe2e",
    ),
    Person(
        "U0LINUS01", "linus", "Linus Torvalds", "Europe/Helsinki", "Eastern European Time", 7200, "e7392d"
    ),
    Person(
        "U0MARGAR1",
        "margaret",
        "Margaret Hamilton",
        "America/Los_Angeles",
        "Pacific Standard Time",
        -28800,
        "3c989f",
    ),
    Person("U0KEN0001", "ken", "Ken Thompson", "Asia/Tokyo", "Japan Standard Time", 32400, "674b1b"),
)
BOT = Person(
    BOT_USER,
    BOT_NAME,
    BOT_REAL_NAME,
    "America/Los_Angeles",
    "Pacific Standard Time",
    -28800,
    "e06b56",
    is_bot=True,
)
CHANNELS = (
    Channel("C0OPS0001", "ops", "What keeps the lights on"),
    Channel("C0DEPLOY1", "deploys", "What goes out, and when"),
    Channel("C0RANDOM1", "random", "Everything else; the bot is not in here"),
    Channel("C0ONCALL1", "on-call", "Private: only Ada, Grace and the bot are in here", kind="private"),
)
DIRECT = tuple(Channel("D0" + person.id[2:], "directmessage", user=person.id, kind="im") for person in PEOPLE)
GROUPS = (
    Group("S0SRE0001", "sre", "Site reliability", ("U0ADA0001", "U0GRACE01", "U0MARGAR1")),
    Group("S0LEADS01", "leads", "Leads", ("U0MARGAR1",)),
)
BOT_IS_IN = ("C0OPS0001", "C0DEPLOY1", "C0ONCALL1")
ON_CALL = ("U0ADA0001", "U0GRACE01")


def flagman_command(name: str) -> Command:
    """Return Flagman's slash command; `name` begins with a slash."""
    return Command(name, "launch <persona> <task>", "Launch and steer agents", should_escape=True)


# Shortcuts, events and scopes as in docs/slack-app.yaml.
SHORTCUTS = (
    Shortcut("launch_agent", "Launch an agent"),
    Shortcut("hand_over", "Hand to an agent", "message"),
)
EVENTS = frozenset(
    {
        "agent_session_stopped",
        "app_home_opened",
        "app_mention",
        "app_uninstalled",
        "message.channels",
        "message.groups",
        "message.im",
        "message.mpim",
        "reaction_added",
        "tokens_revoked",
        "user_change",
    }
)
SCOPES = frozenset(
    {
        "app_mentions:read",
        "assistant:write",
        "channels:history",
        "channels:read",
        "chat:write",
        "chat:write.public",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:write",
        "mpim:history",
        "im:read",
        "mpim:read",
        "reactions:read",
        "usergroups:read",
        "users:read",
    }
)


@dataclass(frozen=True)
class Manifest:
    """The app's manifest; `scopes` of None grants all scopes."""

    scopes: frozenset[str] | None = SCOPES
    commands: tuple[Command, ...] = (flagman_command("/agent"),)
    shortcuts: tuple[Shortcut, ...] = SHORTCUTS
    events: frozenset[str] = EVENTS
