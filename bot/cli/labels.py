"""Texts for the state of a session, its usage and cost, and the commands that may follow."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from supervisor.contract.models import CallView, SessionView
from supervisor.core.persona import Approvers
from supervisor.core.subagents import Need
from supervisor.core.text.format import count, money, used
from supervisor.core.text.labels import WAITING


def status_phrase(state: SessionView) -> str:
    """Return what the session does or waits for, as one phrase."""
    if state.waiting_for is None:
        return state.status
    failed = any(child.undecided for child in state.children)
    if failed and state.waiting_for == "human_input_required" and not _phases(state) & {"asking"}:
        return "waiting for a decision on a sub-agent that failed"
    phrase = WAITING[state.waiting_for]
    if state.pause and state.pause.conditions:
        return f"{phrase}: {' or '.join(state.pause.conditions)}"
    if state.waiting_for == "human_approval_required":
        return f"{phrase}{_by_whom(state)}"
    below = [need for need in state.needs if need.session_id != state.id]
    if state.waiting_for == "children_running" and below:
        return f"{phrase}: {', '.join(f'{n.name} {WAITING[n.waiting_for]}' for n in below)}"
    return phrase


def approvers(call: CallView) -> Iterator[str]:
    """Yield who may approve a call, and how many have so far of how many it takes; a line for each of its rules."""
    for position, rule in enumerate(_rules(call)):
        yield rule_line(rule, f"{_approvals(call, position)} of ")


def rule_line(rule: Approvers, so_far: str = "") -> str:
    """Return who may approve by a rule, and how many it takes, with how many there are `so_far`."""
    words = [_who(rule)]
    if rule.quorum > 1:
        words.append(f"{so_far}{rule.quorum} approvals")
    if rule.exclude_requester:
        words.append("not who asked for it")
    return " · ".join(words)


def _rules(call: CallView) -> list[Approvers]:
    return [rule for rule in (call.approvers, *call.also) if rule] or [Approvers()]


def _who(rule: Approvers) -> str:
    named = [*(user.removeprefix("slack:") for user in rule.users), *(f"@{group}" for group in rule.groups)]
    return ", ".join(named) or "everyone who sees the session"


def _approvals(call: CallView, position: int) -> int:
    """Return how many approvals count for the rule at this position; each names its right by each of several rules."""
    approvals = [decision for decision in call.decisions if decision.verdict == "approve"]
    return sum(not call.also or bool(decision.via.split("\n")[position]) for decision in approvals)


def _by_whom(state: SessionView) -> str:
    """Return who may approve the calls that wait, in a few words, where the same rule is for all of them."""
    found = set()
    for call in state.calls:
        if call.phase == "awaiting":
            for position, rule in enumerate(_rules(call)):
                so_far = f"{_approvals(call, position)} of {rule.quorum}" if rule.quorum > 1 else ""
                found.add(", ".join(filter(None, [so_far, _who(rule) if rule.named else ""])))
    return f" ({words})" if len(found) == 1 and (words := found.pop()) else ""


def spent(state: SessionView) -> str:
    """Return the usage of the session with its limits."""
    if state.budget is None:
        return f"{count(state.steps, 'step')}, {cost_of(state.cost_usd, unpriced=state.unpriced)}"
    steps, tokens, cost = state.budget.steps, state.budget.tokens, state.budget.cost_usd
    minutes, context = state.budget.minutes, state.budget.context_tokens
    unpriced = state.unpriced or any(child.unpriced for child in state.children)
    own = [f"{used(steps.used, steps.limit)} steps", f"{used(int(minutes.used), minutes.limit)} min"]
    if context.limit is not None:
        own.append(f"{used(context.used, context.limit)} of context")
    most = f" of {money(cost.limit)}" if cost.limit else ""
    shared = (
        f"{cost_of(state.total_cost_usd, unpriced=unpriced)}{most}, {used(tokens.used, tokens.limit)} tokens"
    )
    return ", ".join(own) + (f"; with its sub-agents {shared}" if state.children else f", {shared}")


def cost_of(cost: Decimal, *, unpriced: bool) -> str:
    """Return an amount in USD; `unpriced` says that the cost of a part is unknown."""
    return "cost unknown" if unpriced and not cost else money(cost, unpriced=unpriced)


def advice(state: SessionView) -> Iterator[str]:
    """Yield the commands that may follow, one a line."""
    phases = _phases(state)
    if state.pause and state.pause.reason == "context_budget_exceeded":
        yield f"flagman resume {state.id} --compact   sums up what was done so far"
        yield f"flagman resume {state.id}   raises the limit by as much again"
    elif state.pause and state.pause.reason == "budget_exceeded":
        yield f"flagman resume {state.id}   gives it as much again"
    elif state.pause and state.pause.reason == "connection_required":
        for server in (c.partition(": ")[2] for c in state.pause.conditions if c.startswith("connection: ")):
            yield f"flagman connections connect {server}   by who launched it; it goes on by itself then"
    elif state.pause and "awaiting" not in phases:
        yield f"flagman resume {state.id}"
    below = [need for need in state.needs if need.session_id != state.id or need.child_id]
    if "awaiting" in phases or any(need.waiting_for == "human_approval_required" for need in below):
        yield f"flagman approve {state.id}   or   flagman deny {state.id} --reason …"
    if "asking" in phases:
        yield f"flagman answer {state.id} …"
    if "unknown" in phases:
        lost = next(c.call_id for c in state.calls if c.phase == "unknown")
        yield f"flagman settle {state.id} {lost} run-again|done|failed"
    for need in below:
        yield from _about(need)


def _about(need: Need) -> Iterator[str]:
    if need.child_id:
        yield f"flagman settle {need.session_id} {need.name.rpartition('/')[2]} retry|skip|stop"
    elif need.waiting_for == "human_input_required":
        yield f"flagman answer {need.session_id} …   ({need.name})"
    elif need.waiting_for != "human_approval_required":
        yield f"flagman show {need.session_id}   ({need.name})"


def _phases(state: SessionView) -> set[str]:
    return {call.phase for call in state.calls}
