"""Strictness and delays of the workspace, which tests change through the control API."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SHARE_SECONDS, TICKET_SECONDS = 600.0, 30.0


class Settings(BaseModel):
    """Settings shared by all parts of a playground; `change` alters the one instance."""

    model_config = ConfigDict(extra="forbid")

    rate_limits: bool = True
    # Factor on Slack's rate limits.
    rate_scale: float = Field(default=1.0, gt=0)
    # Calls per minute of a method, in place of the limit of its tier.
    calls_per_minute: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    file_share_delay_s: float = Field(default=0.0, ge=0, le=SHARE_SECONDS)
    # Whether a reply to a message that does not exist is posted to the channel or refused.
    missing_root: Literal["post_to_channel", "refuse"] = "post_to_channel"
    # Error code of the `usergroups.*` methods, such as `paid_teams_only` on a free plan; empty if they work.
    usergroups_error: str = ""
    # Error code of the `agents.*` methods, such as `feature_not_enabled`; empty if they work. Where they do not, plans
    # are refused in messages, too.
    agents_error: str = ""
    # Whether the bot's token has the scope `chat:write.public`.
    chat_write_public: bool = False
    ticket_s: float = Field(default=TICKET_SECONDS, ge=0)

    def change(self, given: dict[str, Any]) -> None:
        """Set the fields named. Raises pydantic's ValidationError without changing any of them."""
        checked = type(self).model_validate({**self.model_dump(), **given})
        for name in type(self).model_fields:
            setattr(self, name, getattr(checked, name))
