"""What an approver should know of a request besides the call itself, in sentences for every interface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from supervisor.core.persona import Grants
from supervisor.core.records import Decision
from supervisor.core.state import Call
from supervisor.core.text.visible import one_line

TOO_FEW = (
    "When this was asked, too few people could approve it. Admins (FLAGMAN_ADMINS) may decide in place of those who "
    "are missing, and the log says that they are admins; without an admin, put more people into the group."
)
NO_SANDBOX = "No sandbox: it runs with all rights of Flagman's user."
_LONGEST = 200


def request_notes(call: Call) -> Iterator[str]:
    """Sentences about the request of the call: earlier denials, who is missing to approve it, what it may reach.

    Those about a tool of a server say which arguments the app gives, and that the tool has changed.
    """
    if call.denied_before:
        yield _denied(call.denied_before)
    if call.too_few:
        yield TOO_FEW
    if call.unsandboxed:
        yield NO_SANDBOX
    elif call.grants and (granted := grants_text(call.grants)):
        yield f"Its sandbox grants {granted}."
    if call.grants and call.grants.missing:
        yield one_line(" ".join(call.grants.missing), 3 * _LONGEST)
    if call.redefined:
        yield "The server has changed this tool since people were asked about it, or since it was called."
    if call.call.definition and (given := call.call.definition.provided):
        yield f"The app gives {one_line(', '.join(sorted(given)), _LONGEST)}; the agent did not choose that."


def _denied(denials: Sequence[Decision]) -> str:
    last = denials[-1]
    why = f", with the reason “{one_line(last.reason, _LONGEST)}”" if last.reason else ""
    times = "once" if len(denials) == 1 else f"{len(denials)} times"
    return f"The same call was denied {times} before, last by {one_line(last.by_name or last.by, 60)}{why}."


def grants_text(grants: Grants) -> str:
    """What the sandbox grants to commands, as a list in a sentence; empty where it grants nothing."""
    granted = ["the network of this host"] if grants.network else []
    granted += [f"reading {one_line(path, _LONGEST)}" for path in grants.read]
    granted += [f"the variable {name}" for name in grants.env]
    return ", ".join(granted)
