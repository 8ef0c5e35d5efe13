"""The kinds of Slack's refusals.

A refusal is of form (the message is shown in a simpler one), of place (it goes elsewhere), because the message is gone,
or any other, also of a code that is not known here: then the call is tried again, since it may be mended.
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
# restricted_action_read_only_channel and others of its family.
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
# What fails in these is not tried again: it is done without.
_OPTIONAL = {*READS, UPLOAD, "chat.delete", "files.delete"}
RETRY_SECONDS = 2.0


class RetryLater(Exception):
    """Slack does not take it now; try again after `seconds`. What was sent may have arrived.

    `refused` says that Slack gave a reason which only a person can mend, or which is not known here.
    """

    def __init__(self, seconds: float, why: str, *, refused: bool = False) -> None:
        super().__init__(why)
        self.seconds, self.refused = seconds, refused


class TurnLater(RetryLater):
    """A message waits for its turn at a rate that Slack allows."""


class MessageDeleted(Exception):
    """The message is no longer there."""


class SlackRejected(Exception):
    """Slack does not take it, and it is one of the calls that are done without."""


class FormRejected(SlackRejected):
    """Slack does not take a message in this form."""


class ChannelUnavailable(SlackRejected):
    """The bot may not write, or read, in that channel."""


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
