"""The environment, read once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from supervisor.core.errors import InvalidInput

SLACK = "https://slack.com/api/"


class Settings(BaseSettings):
    """Every variable of the contract; names in the environment are those of `validation_alias`."""

    model_config = SettingsConfigDict(env_ignore_empty=True, populate_by_name=True, extra="ignore")

    slack_bot_token: SecretStr | None = Field(None, validation_alias="SLACK_BOT_TOKEN")
    slack_app_token: SecretStr | None = Field(None, validation_alias="SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr | None = Field(None, validation_alias="SLACK_SIGNING_SECRET")
    slack_api_url: str = Field(SLACK, validation_alias="SLACK_API_URL")
    redis_url: SecretStr | None = Field(None, validation_alias="REDIS_URL")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8080, validation_alias="PORT")
    host: str = Field("127.0.0.1", validation_alias="FLAGMAN_HOST")
    data: Path = Field(Path(".flagman"), validation_alias="FLAGMAN_DATA")
    model: str | None = Field(None, validation_alias="FLAGMAN_MODEL")
    personas: Path | None = Field(None, validation_alias="FLAGMAN_PERSONAS")
    workspace: Path | None = Field(None, validation_alias="FLAGMAN_WORKSPACE")
    command: str = Field("/agent", validation_alias="FLAGMAN_COMMAND")
    slots: Annotated[int, Field(ge=1, le=1000)] = Field(32, validation_alias="FLAGMAN_SLOTS")
    lease_seconds: Annotated[float, Field(ge=0.5, le=600)] = Field(
        6, validation_alias="FLAGMAN_LEASE_SECONDS"
    )
    grace_seconds: Annotated[float, Field(ge=0, le=600)] = Field(20, validation_alias="FLAGMAN_GRACE_SECONDS")
    keep_webhooks_seconds: Annotated[float, Field(ge=1, le=604800)] = Field(
        3600, validation_alias="FLAGMAN_KEEP_WEBHOOKS_SECONDS"
    )
    allow_private_http: bool = Field(False, validation_alias="FLAGMAN_ALLOW_PRIVATE_HTTP")

    @field_validator("redis_url")
    @classmethod
    def _scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return url

    @field_validator("slack_api_url")
    @classmethod
    def _with_slash(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url if url.endswith("/") else f"{url}/"

    @field_validator("command")
    @classmethod
    def _slash(cls, command: str) -> str:
        if not command.startswith("/") or len(command) < 2 or " " in command:
            raise ValueError("must look like /agent")
        return command

    @field_validator("model")
    @classmethod
    def _provider(cls, model: str | None) -> str | None:
        if model and ":" not in model:
            raise ValueError(
                "must have the form provider:model, such as openai-chat:gpt-5 or anthropic:claude-sonnet-4-5"
            )
        return model

    @model_validator(mode="after")
    def _a_way_in(self) -> Self:
        if self.slack_bot_token and not self.slack_app_token and not self.slack_signing_secret:
            raise ValueError(
                "SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP mode) is needed too"
            )
        return self

    @property
    def playground(self) -> bool:
        """Whether the local stand-in for Slack is used."""
        return self.slack_bot_token is None

    @property
    def workspace_folder(self) -> Path:
        return self.workspace or self.data / "workspace"

    @property
    def secrets(self) -> list[str]:
        """Values that may never be shown."""
        values = (self.slack_bot_token, self.slack_app_token, self.slack_signing_secret, self.redis_url)
        return [value.get_secret_value() for value in values if value]


def read_settings() -> Settings:
    """Raises InvalidInput with one sentence that names the variable."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{name}: {reason}." if name else f"{reason}.") from error
