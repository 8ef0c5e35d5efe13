"""The settings of Flagman and of its clients, read from the environment."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.setting_values import check_url, digest_time_of, named_secrets, parts_of, with_password
from storage.clients.address import parse_address
from storage.clients.replicas import Replicas
from storage.keys import MOST_PARTITIONS
from supervisor.api_keys import ApiKey, parse_keys
from supervisor.core.commands.limits import LIMITS, parse_limits
from supervisor.core.errors import InvalidCondition, InvalidInput
from supervisor.core.times import parse_duration
from supervisor.daily import DailyTime
from supervisor.place_settings import Installation

SHORTEST_SECRET = 16
# The variables from which model providers read their keys.
PROVIDER_KEY = re.compile(r"[A-Z0-9_]+_(?:KEY|TOKEN)")
_RATE = re.compile(r"^(\d{1,6})(?:/(\d{1,6}))?$")
SLACK = "https://slack.com/api/"
Kind = TypeVar("Kind", bound="CommonSettings")


class CommonSettings(BaseSettings):
    """The settings of processes and of clients; `validation_alias` is the name in the environment."""

    model_config = SettingsConfigDict(env_ignore_empty=True, populate_by_name=True, extra="ignore")

    api_key: SecretStr | None = Field(None, validation_alias="FLAGMAN_API_KEY")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8080, validation_alias="PORT")
    host: str = Field("127.0.0.1", validation_alias="FLAGMAN_HOST")
    data: Path = Field(Path(".flagman"), validation_alias="FLAGMAN_DATA")


class ClientSettings(CommonSettings):
    """The settings by which a client finds its Flagman."""

    url: str | None = Field(None, validation_alias="FLAGMAN_URL")

    @field_validator("url")
    @classmethod
    def _web_address(cls, url: str | None) -> str | None:
        return check_url(url) if url else None


class Settings(CommonSettings):
    """All settings of a process of Flagman."""

    slack_bot_token: SecretStr | None = Field(None, validation_alias="SLACK_BOT_TOKEN")
    slack_app_token: SecretStr | None = Field(None, validation_alias="SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr | None = Field(None, validation_alias="SLACK_SIGNING_SECRET")
    slack_client_id: str = Field("", validation_alias="SLACK_CLIENT_ID")
    slack_client_secret: SecretStr | None = Field(None, validation_alias="SLACK_CLIENT_SECRET")
    slack_api_url: str = Field(SLACK, validation_alias="SLACK_API_URL")
    redis_url: SecretStr | None = Field(None, validation_alias="REDIS_URL")
    wait_replicas: str = Field("", validation_alias="FLAGMAN_WAIT_REPLICAS")
    model: str | None = Field(None, validation_alias="FLAGMAN_MODEL")
    personas: Path | None = Field(None, validation_alias="FLAGMAN_PERSONAS")
    default_persona: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9-]{0,39})?$")] = Field(
        "", validation_alias="FLAGMAN_DEFAULT_PERSONA"
    )
    limits: str = Field("", validation_alias="FLAGMAN_LIMITS")
    workspace: Path | None = Field(None, validation_alias="FLAGMAN_WORKSPACE")
    fallback_channel: Annotated[str, Field(pattern=r"^([CG][A-Z0-9]{2,20})?$")] = Field(
        "", validation_alias="FLAGMAN_FALLBACK_CHANNEL"
    )
    command: str = Field("/agent", validation_alias="FLAGMAN_COMMAND")
    partitions: Annotated[int, Field(ge=1, le=MOST_PARTITIONS)] = Field(
        1, validation_alias="FLAGMAN_PARTITIONS"
    )
    slots: Annotated[int, Field(ge=1, le=1000)] = Field(32, validation_alias="FLAGMAN_SLOTS")
    lease_seconds: Annotated[float, Field(ge=0.5, le=600)] = Field(
        6, validation_alias="FLAGMAN_LEASE_SECONDS"
    )
    grace_seconds: Annotated[float, Field(ge=0, le=600)] = Field(20, validation_alias="FLAGMAN_GRACE_SECONDS")
    heartbeat: Path | None = Field(None, validation_alias="FLAGMAN_HEARTBEAT")
    keep_webhooks_seconds: Annotated[float, Field(ge=1, le=604800)] = Field(
        3600, validation_alias="FLAGMAN_KEEP_WEBHOOKS_SECONDS"
    )
    keep: str = Field("forever", validation_alias="FLAGMAN_KEEP")
    api_keys: SecretStr | None = Field(None, validation_alias="FLAGMAN_API_KEYS")
    api_rate: str = Field("50/200", validation_alias="FLAGMAN_API_RATE")
    max_sessions: Annotated[str, Field(pattern=r"^[1-9]\d{0,8}/[1-9]\d{0,8}$")] = Field(
        "1000/1000000", validation_alias="FLAGMAN_MAX_SESSIONS"
    )
    webhook_secret: SecretStr | None = Field(None, validation_alias="FLAGMAN_WEBHOOK_SECRET")
    secret_key: SecretStr | None = Field(None, validation_alias="FLAGMAN_SECRET_KEY")
    token_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = Field(
        604_800, validation_alias="FLAGMAN_TOKEN_SECONDS"
    )
    admins: Annotated[
        str,
        Field(
            pattern=r"^(\s*(([TE][A-Z0-9]{2,20}/)?[UW][A-Z0-9]{2,20}|api:[a-z][a-z0-9._-]{0,39})\s*(,|$))*$"
        ),
    ] = Field("", validation_alias="FLAGMAN_ADMINS")
    teams: Annotated[str, Field(pattern=r"^(\s*[TE][A-Z0-9]{2,20}\s*(,|$))*$")] = Field(
        "", validation_alias="FLAGMAN_TEAMS"
    )
    audit_digest: str = Field("", validation_alias="FLAGMAN_AUDIT_DIGEST")
    user: Annotated[str, Field(pattern=r"^(([TE][A-Z0-9]{2,20}/)?[UW][A-Z0-9]{2,20})?$")] = Field(
        "", validation_alias="FLAGMAN_USER"
    )
    sandbox: Literal["auto", "require", "off"] = Field("auto", validation_alias="FLAGMAN_SANDBOX")
    mcp: Path | None = Field(None, validation_alias="FLAGMAN_MCP")
    public_url: str = Field("", validation_alias="FLAGMAN_PUBLIC_URL")
    tools: Path | None = Field(None, validation_alias="FLAGMAN_TOOLS")
    allow_private_http: bool = Field(False, validation_alias="FLAGMAN_ALLOW_PRIVATE_HTTP")

    @field_validator("redis_url")
    @classmethod
    def _scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url:
            parse_address(url.get_secret_value())
        return url

    @field_validator("wait_replicas")
    @classmethod
    def _replicas(cls, text: str) -> str:
        Replicas.parse(text)
        return text

    @field_validator("slack_client_id")
    @classmethod
    def _client_id(cls, client_id: str) -> str:
        if client_id and not re.fullmatch(r"[0-9]{1,20}\.[0-9]{1,20}", client_id):
            raise ValueError(
                "must be two numbers with a dot, such as 1234567890.1234567890, as under App Credentials"
            )
        return client_id

    @field_validator("api_keys")
    @classmethod
    def _keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys:
            parse_keys(keys.get_secret_value())
        return keys

    @field_validator("keep")
    @classmethod
    def _a_time(cls, keep: str) -> str:
        try:
            if keep == "forever" or parse_duration(keep) >= timedelta(days=1):
                return keep
        except InvalidCondition:
            pass
        raise ValueError("must be forever, or a time of a day or more such as 90d")

    @field_validator("limits")
    @classmethod
    def _limits(cls, limits: str) -> str:
        try:
            parse_limits(limits.split())
        except InvalidInput as error:
            raise ValueError(str(error)) from None
        return limits

    @field_validator("api_rate")
    @classmethod
    def _a_rate(cls, rate: str) -> str:
        found = _RATE.match(rate)
        if not found or int(found[1]) < 1 or (found[2] and int(found[2]) < 1):
            raise ValueError("must look like 50 (requests a second) or 50/200 (with bursts of 200)")
        return rate

    @field_validator("webhook_secret", "secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            for position, (_, secret) in enumerate(named_secrets(value), start=1):
                if len(secret) < SHORTEST_SECRET:
                    raise ValueError(f"secret {position} must have {SHORTEST_SECRET} characters or more")
        return value

    @field_validator("slack_api_url")
    @classmethod
    def _with_slash(cls, url: str) -> str:
        return check_url(url).rstrip("/") + "/"

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return check_url(url).rstrip("/") if url else ""

    @field_validator("command")
    @classmethod
    def _slash(cls, command: str) -> str:
        if not command.startswith("/") or len(command) < 2 or " " in command:
            raise ValueError("must look like /agent")
        return command

    @field_validator("audit_digest")
    @classmethod
    def _a_digest(cls, text: str) -> str:
        if text:
            digest_time_of(text)
        return text

    @field_validator("model")
    @classmethod
    def _provider(cls, model: str | None) -> str | None:
        if model and ":" not in model:
            raise ValueError(
                "must have the form provider:model, such as openai-chat:gpt-5 or anthropic:claude-sonnet-4-5"
            )
        return model

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.replicas and not self.redis_url:
            raise ValueError("FLAGMAN_WAIT_REPLICAS needs REDIS_URL, as the embedded store has no replicas")
        if bool(self.slack_client_id) != bool(self.slack_client_secret):
            raise ValueError(
                "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET belong together, since workspaces install with both: set "
                "both, or neither for the one workspace of SLACK_BOT_TOKEN"
            )
        if self.playground or self.slack_app_token or self.slack_signing_secret:
            return self
        raise ValueError("SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP mode) is needed too")

    @property
    def replicas(self) -> Replicas | None:
        """The replicas that must have each append; None where the primary alone is enough."""
        return Replicas.parse(self.wait_replicas)

    @property
    def admin_ids(self) -> tuple[str, ...]:
        """The ids of the people and keys that are admins."""
        return tuple(part.strip() for part in self.admins.split(",") if part.strip())

    @property
    def team_ids(self) -> tuple[str, ...]:
        """The ids of the other workspaces whose members have rights."""
        return tuple(part.strip() for part in self.teams.split(",") if part.strip())

    @property
    def digest_time(self) -> DailyTime | None:
        """Where and when the daily digest of the audit is posted; None where it is not."""
        return digest_time_of(self.audit_digest) if self.audit_digest else None

    @property
    def keep_for(self) -> timedelta | None:
        """How long ended sessions stay in the store; None where they stay forever."""
        return None if self.keep == "forever" else parse_duration(self.keep)

    @property
    def playground(self) -> bool:
        """Whether the playground is used in place of Slack."""
        return self.slack_bot_token is None and not self.installs

    @property
    def installs(self) -> bool:
        """Whether workspaces can install Flagman by themselves."""
        return bool(self.slack_client_id)

    @property
    def authorize_url(self) -> str:
        """Slack's page on which a workspace installs it."""
        return self.slack_api_url.removesuffix("api/") + "oauth/v2/authorize"

    @property
    def public_address(self) -> str:
        """The address by which browsers reach Flagman: FLAGMAN_PUBLIC_URL, or that of this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104  none is bound here
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def workspace_folder(self) -> Path:
        return self.workspace or self.data / "workspace"

    @property
    def installation(self) -> Installation:
        """What holds in every channel that sets nothing stricter of its own."""
        variables = dict.fromkeys(LIMITS, "FLAGMAN_LIMITS") | {"persona": "FLAGMAN_DEFAULT_PERSONA"}
        limits = parse_limits(self.limits.split())
        return Installation(persona=self.default_persona, limits=limits, variables=variables)

    @property
    def given_keys(self) -> tuple[tuple[ApiKey, str], ...]:
        """API keys from the environment, each with its secret."""
        return parse_keys(self.api_keys.get_secret_value()) if self.api_keys else ()

    @property
    def rate(self) -> tuple[int, int]:
        """The requests of one API key a second, and how many at once."""
        found = _RATE.match(self.api_rate)
        assert found
        return int(found[1]), int(found[2] or 4 * int(found[1]))

    @property
    def most_open(self) -> tuple[int, int]:
        """How many sessions may be open: of one person or key, and in all."""
        of_one, _, of_all = self.max_sessions.partition("/")
        return int(of_one), int(of_all)

    @property
    def secret_keys(self) -> list[str]:
        """The keys for resume tokens and SESSION_LOGs: the first one signs, all are accepted."""
        return [part for part in parts_of(self.secret_key) if part]

    def webhook_secrets(self, name: str) -> list[str]:
        """The secrets of this hook alone, if it has any, else those of all hooks."""
        entries = named_secrets(self.webhook_secret)
        own = [secret for hook, secret in entries if hook == name]
        return own or [secret for hook, secret in entries if not hook]

    @property
    def hooks(self) -> set[str]:
        """The hooks that have a secret of their own; the empty name stands for all others."""
        return {hook for hook, _ in named_secrets(self.webhook_secret)}

    def hook_problem(self, name: str) -> str:
        """Why no webhook of this name can come, in one sentence; empty where it can."""
        if self.webhook_secrets(name):
            return ""
        return f"No webhook `{name}` can come: set a secret for it in FLAGMAN_WEBHOOK_SECRET and start again."

    @property
    def secrets(self) -> list[str]:
        """The values of the settings that are masked in all output."""
        values = (
            self.slack_bot_token,
            self.slack_app_token,
            self.slack_signing_secret,
            self.slack_client_secret,
            self.api_key,
        )
        own = [secret for _, secret in self.given_keys] + self.secret_keys
        own += [secret for _, secret in named_secrets(self.webhook_secret)]
        own += with_password(self.redis_url)
        own += [value for name, value in os.environ.items() if PROVIDER_KEY.fullmatch(name.upper())]
        return [value.get_secret_value() for value in values if value] + own


# The names of all settings in the environment.
VARIABLES = frozenset(
    str(field.validation_alias)
    for settings in (Settings, ClientSettings)
    for field in settings.model_fields.values()
)


def read_settings() -> Settings:
    """The settings of a process. Raises InvalidInput with one sentence that names the variable."""
    return _read(Settings)


def read_client_settings() -> ClientSettings:
    """The settings of a client. Raises as `read_settings`, for variables that a client reads."""
    return _read(ClientSettings)


def _read(kind: type[Kind]) -> Kind:
    try:
        return kind()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{name}: {reason}." if name else f"{reason}.") from error
