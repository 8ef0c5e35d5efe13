"""Asks a person at the terminal about calls that wait, one after the other, and sends each decision."""

from __future__ import annotations

from typing import Any

import typer

from bot.cli.editor import edit, show_difference
from bot.cli.pending import PendingCall, show_pending
from bot.cli.terminal import DIM, beside, done, show, text
from bot.sdk.http_backend import HttpBackend
from supervisor.contract.models import CallView, SessionView
from supervisor.contract.requests import DecisionRequest
from supervisor.core.commands.approvals import Verdict
from supervisor.core.errors import FlagmanError, InvalidInput
from supervisor.core.policy import VERDICT_WORDS

# A word, or its beginning; `yes` and `no` are what one says to most questions.
CHOICES = {word: word for word in ("approve", "deny", "respond", "edit", "view", "skip")} | {
    "yes": "approve",
    "no": "skip",
}


async def review(remote: HttpBackend, found: list[PendingCall]) -> bool:
    """Show each call in full and ask what to do with it. Returns whether all of them were decided."""
    decided = []
    for number, one in enumerate(found, start=1):
        if number > 1:
            show()
        show_pending([one])
        show()
        decided.append(await _ask(remote, one, f"{number} of {len(found)}: " if len(found) > 1 else ""))
    return all(decided)


async def _ask(remote: HttpBackend, one: PendingCall, place: str) -> bool:
    """Ask until the call is decided or skipped. Returns whether it was decided."""
    while True:
        question = f"{place}{one.call.call_id}: approve, deny, respond, edit, view or skip"
        answer = typer.prompt(question, default="skip", prompt_suffix="? ").strip().lower()
        chosen = next((does for word, does in CHOICES.items() if answer and word.startswith(answer)), "")
        try:
            match chosen:
                case "approve":
                    await decide(remote, one, "approve")
                    return True
                case "deny":
                    reason = typer.prompt("Why (the agent reads it)", default="", show_default=False)
                    await decide(remote, one, "deny", reason=reason)
                    return True
                case "respond":
                    answer = typer.prompt("Answer (the agent reads it in place of a result)")
                    await decide(remote, one, "respond", reason=answer)
                    return True
                case "edit" if await _edit(remote, one):
                    return True
                case "view":
                    _view(one)
                case "skip":
                    return False
        except FlagmanError as error:
            show(text((str(error), "red")), err=True)
            if not isinstance(error, InvalidInput):
                return False


async def _edit(remote: HttpBackend, one: PendingCall) -> bool:
    arguments = edit(one.call)
    return arguments is not None and await approve_changed(remote, one, arguments)


async def approve_changed(
    remote: HttpBackend,
    one: PendingCall,
    arguments: dict[str, Any],
    *,
    yes: bool = False,
    quiet: bool = False,
) -> bool:
    """Show what was changed, ask unless `yes`, and approve. Returns False where the person says no.

    With `quiet` standard output is left to JSON.
    """
    show_difference(one.call, arguments, err=quiet)
    if not yes and not typer.confirm("Approve it like this?", default=False):
        return False
    await decide(remote, one, "approve", arguments=arguments, quiet=quiet)
    return True


async def decide(
    remote: HttpBackend, one: PendingCall, verdict: Verdict, *, quiet: bool = False, **more: Any
) -> SessionView:
    """Decide on the call as it was shown, and say what came of it."""
    call, session_id = one.call, one.session.id
    request = DecisionRequest.of(verdict=verdict, digest=call.digest, request=call.request, **more)
    state = await remote.decide(session_id, call.call_id, request)
    if not quiet:
        done(_said(verdict, session_id, call, state, changed="arguments" in more))
    return state


def _said(verdict: Verdict, session_id: str, call: CallView, state: SessionView, *, changed: bool) -> str:
    which = f"{call.call_id} of {session_id}"
    if verdict != "approve":
        return f"{VERDICT_WORDS[verdict].capitalize()} {which}."
    if any(other.call_id == call.call_id and other.phase == "awaiting" for other in state.calls):
        return f"{'Changed' if changed else 'Approved'} {which}; it waits for others to approve it."
    return f"Approved {which}{' as changed' if changed else ''}."


def _view(one: PendingCall) -> None:
    """Show what the agent said with the call, and all of it once more."""
    show()
    if one.session.said:
        show(beside(text(("  the agent said ", DIM)), text(one.session.said)))
        show()
    show_pending([one])
    show()
