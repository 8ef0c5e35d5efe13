"""How strict and how slow the workspace is: changed by tests through the control API, the same for everybody."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SHARE_SECONDS, TICKET_SECONDS = 600.0, 30.0


class Settings(BaseModel):
    """One object for a playground's life; `change` alters it in place, so that all its holders see the same."""

    model_config = ConfigDict(extra="forbid")

    rate_limits: bool = True
    # So many times what Slack allows.
    rate_scale: float = Field(default=1.0, gt=0)
    # Calls a minute of a method, in place of those of its tier.
    calls_per_minute: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    file_share_delay_s: float = Field(default=0.0, ge=0, le=SHARE_SECONDS)
    # What a reply to a message that is no longer there meets: it is posted at the channel's top, or refused.
    missing_root: Literal["post_to_channel", "refuse"] = "post_to_channel"
    # The code with which user groups are refused, as `paid_teams_only` on a free plan; empty where they work.
    usergroups_error: str = ""
    # Whether the bot's token has the scope `chat:write.public`.
    chat_write_public: bool = False
    ticket_s: float = Field(default=TICKET_SECONDS, ge=0)

    def change(self, given: dict[str, Any]) -> None:
        """Take over those named. Raises pydantic's ValidationError, and then changes nothing."""
        checked = type(self).model_validate({**self.model_dump(), **given})
        for name in type(self).model_fields:
            setattr(self, name, getattr(checked, name))
