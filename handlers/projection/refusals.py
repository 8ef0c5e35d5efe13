"""Errors for the refusals of Slack.

A refusal concerns the form of a message (a simpler one is sent), its place (it goes elsewhere) or a deleted
message. After any other refusal, also one of an unknown code, the call is tried again, since its cause may be
mended.
"""

from __future__ import annotations

# The codes are those of https://docs.slack.dev/reference/methods/chat.postMessage and chat.update.
_GONE = {"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"}
_PLACE = {
    "cannot_dm_bot",
    "cannot_reply_to_message",
    "channel_not_found",
    "is_archived",
    "is_inactive",
    "messages_tab_disabled",
    "method_not_supported_for_channel_type",
    "no_permission",
    "not_in_channel",
    "user_disabled",
    "user_not_found",
    "users_not_found",
}
# The codes that begin with this, such as restricted_action_read_only_channel, are about the place.
_PLACES = "restricted_action"
_FORM = {
    "block_mismatch",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "markdown_text_conflict",
    "metadata_too_large",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
}
_BUSY = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}
READS = {"conversations.history", "conversations.info", "conversations.replies", "chat.getPermalink"}
UPLOAD = "files.upload"
STATUS = "agents.sessions.setStatus"
# Refusals of these methods are not tried again; the projection continues without them.
_OPTIONAL = {*READS, UPLOAD, STATUS, "chat.delete", "files.delete"}
RETRY_SECONDS = 2.0


class RetryLater(Exception):
    """A call that Slack does not take now and that is due again after `seconds`; it may have had its effect.

    `refused` says that Slack gave a reason which only a person can mend, or which is not known here.
    """

    def __init__(self, seconds: float, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.seconds, self.refused = seconds, refused


class TurnLater(RetryLater):
    """A message that waits for its turn at a rate that Slack allows."""


class MessageDeleted(Exception):
    """A message that no longer exists."""


class SlackRejected(Exception):
    """A refusal of a call that the projection can do without."""


class FormRejected(SlackRejected):
    """A refusal of the form of a message."""


class ChannelUnavailable(SlackRejected):
    """A channel in which the bot may not write or read."""


def problem_of(method: str, status: int, code: str) -> Exception:
    """Return the error that a refusal is raised as; `code` is Slack's word for it, empty where it gave none."""
    if status >= 500 or code in _BUSY:
        return RetryLater(RETRY_SECONDS, f"{method}: {code or status}")
    if code in _GONE:
        return MessageDeleted(code)
    if code in _PLACE or code.startswith(_PLACES):
        return ChannelUnavailable(code)
    if code in _FORM:
        return FormRejected(code)
    if method in _OPTIONAL:
        return SlackRejected(code or f"status {status}")
    return RetryLater(RETRY_SECONDS, f"{method}: {code or status}", refused=True)
