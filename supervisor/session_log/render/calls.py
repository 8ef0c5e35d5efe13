"""Parts of a SESSION_LOG about calls: their arguments, their approvers, and changes by people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from supervisor.core.events import ApprovalDecided, CallEdited, ToolCall
from supervisor.core.persona import Approvers
from supervisor.core.state import Call, Session
from supervisor.core.text.format import count, join_items
from supervisor.session_log.render.blocks import output
from supervisor.session_log.render.labels import decider
from supervisor.session_log.render.safe import code, inline, visible

DIGEST = 16
PHASES = {
    "ready": "about to run",
    "held": "to be asked for",
    "awaiting": "waits for an approval",
    "approved": "about to run",
    "denied": "denied, did not run",
    "refused": "refused, did not run",
    "started": "running",
    "unknown": "cut off, outcome not known",
    "open": "to be asked",
    "asking": "waits for an answer",
    "sleeping": "waiting",
    "delegating": "its sub-agents are at it",
    "answered": "answered, did not run",
    "expired": "expired, did not run",
    "superseded": "withdrawn, did not run",
}
_DECISIONS = 5
PAST = {"approve": "approved", "deny": "denied", "respond": "answered"}
VERDICTS = {verdict: f"**{word}**" for verdict, word in PAST.items()}
_RIGHTS = {
    "anyone": "anyone may",
    "user": "named in the rule",
    "admin": "an admin, as nobody else can",
}


def call_name(call_id: str, tool: str) -> str:
    return f"{code(call_id, 20)} {code(tool, 80)}"


def named_call(call: Call) -> str:
    """Return a call by its id, its tool and its first argument, if that is a text."""
    name, given = call_name(call.call_id, call.call.tool), call.call.arguments
    first = next(iter(given.values()), "") if isinstance(given, dict) else given
    return f"{name} {code(first, 60)}" if first and isinstance(first, str) else name


def first_argument(call: Call) -> str:
    given = call.call.arguments
    value = next(iter(given.values()), "") if isinstance(given, dict) else given
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def people_decided(session: Session) -> str:
    """Return the last approvals and denials, with the number of earlier ones; empty where there are none."""
    made = [(d, c) for step in session.steps for c in step.calls for d in c.decisions]
    last = sorted(made, key=lambda row: row[0].at)[-_DECISIONS:]
    words = [f"{decider(d)} {PAST[d.verdict]} {call_name(c.call_id, c.call.tool)}" for d, c in last]
    earlier = len(made) - len(last)
    return (f"{count(earlier, 'earlier one')}, then " if earlier else "") + "; ".join(words)


def digest(value: str) -> str:
    return f"sha256 {code(value[:DIGEST])}"


def arguments(given: Any, n: int) -> list[str]:
    """Return a block with the arguments, one line each; event `n` is named as the place of longer ones."""
    return output(argument_text(given), n)


def argument_text(given: Any) -> str:
    """Return the arguments as text; values of several lines are indented, so that none looks like an argument."""
    if not isinstance(given, dict):
        return visible(str(given))
    return "\n".join(f"{visible(name)}:{_value(value)}" for name, value in given.items()) or "(no arguments)"


def _value(value: Any) -> str:
    text = visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))
    return (
        f" {text}" if "\n" not in text else "".join(f"\n    {line}".rstrip(" ") for line in text.split("\n"))
    )


def policy_reason(call: ToolCall) -> str:
    """Return the decision of the policy on the call."""
    if call.mode == "refuse":
        return f"refused: {inline(call.reason, 400)}"
    if call.mode == "allow":
        return "allowed by the persona's rules"
    why = f" · “{inline(call.reason, 200)}”" if call.reason else ""
    return f"needs an approval {by_whom(call)}{why}"


def by_whom(call: ToolCall, given: Sequence[int] = ()) -> str:
    """Return the approvers of a call; `given` has the number of approvals so far for each of its rules."""
    rules = call.rules
    return " and ".join(_by_rule(rule, given[n] if given else None) for n, rule in enumerate(rules))


def _by_rule(rule: Approvers, given: int | None) -> str:
    who = [code(who, 60) for who in (*rule.users, *rule.groups)]
    words = f"by {join_items(who)}" if who else "by anyone in the channel"
    if rule.quorum > 1:
        words += f" ({rule.quorum} of them)" if given is None else f" ({given} of {rule.quorum} so far)"
    return f"{words}, not by who asked for the session" if rule.exclude_requester else words


def right_of(event: ApprovalDecided) -> str:
    """Return by what right a decision was made, and how where that is not as usual."""
    return f"{right(event.via)}, by a reaction" if event.how else right(event.via)


def right(via: str) -> str:
    """Return the reason why a person had the right to decide, from the field `via` of the decision."""
    if "\n" in via:
        return join_items([right(part) for part in via.split("\n") if part])
    if via in _RIGHTS:
        return _RIGHTS[via]
    return f"member of {code(via.removeprefix('group:'), 60)}"


def before_and_after(event: CallEdited, before: ToolCall, n: int) -> list[str]:
    """Return the arguments that a person changed, before and after the change."""
    old, new = before.arguments, event.call.arguments
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return ["Before:", "", *arguments(old, n), "", "After:", "", *arguments(new, n)]
    names = [name for name in (*old, *(n for n in new if n not in old)) if old.get(name) != new.get(name)]
    gone = {name: old[name] for name in names if name in old}
    put = {name: new[name] for name in names if name in new}
    same = [code(name, 60) for name in new if name not in names]
    left = ["", f"Unchanged: {join_items(same)}."] if same else []
    return ["Before:", "", *arguments(gone, n), "", "After:", "", *arguments(put, n), *left]
