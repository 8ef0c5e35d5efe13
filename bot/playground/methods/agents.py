"""The method `agents.sessions.setStatus`: https://docs.slack.dev/ai/agent-sessions."""

from bot.playground.errors import SlackError
from bot.playground.methods.call import Call, Method
from bot.playground.store import Json

STATUSES = ("active", "processing", "suspended", "closed")
STOPPED = "agent_session_stopped"
TITLE_CHARACTERS = 200


async def set_status(call: Call) -> Json:
    """Set the status of the agent session of a thread; while it is processing, people can stop it."""
    if refusal := call.playground.settings.agents_error:
        raise SlackError(refusal)
    status = call.need("status")
    if status not in STATUSES or len(call.text("title")) > TITLE_CHARACTERS:
        raise SlackError("invalid_arguments")
    channel = call.channel("channel_id", member=True, archived="is_archived")
    thread_ts = call.need("thread_ts")
    if call.playground.store.message(channel.id, thread_ts) is None:
        raise SlackError("thread_not_found")
    call.playground.timeline.agent(channel, thread_ts, status)
    answer: Json = {"status": status, "agent_status": status}
    if STOPPED not in call.playground.workspace.manifest.events:
        answer["warning"] = f"missing_{STOPPED}_event_subscription"
    return answer


METHODS: dict[str, Method] = {"agents.sessions.setStatus": set_status}
