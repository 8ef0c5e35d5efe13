"""The next reply of the demo, as a pure function of the conversation."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.core.delegation import PLAN
from supervisor.core.messages import ModelRequest
from supervisor.models.demo.conversation import Call, begins, join, one_line, position_of, results_of, task_of
from supervisor.models.demo.coordinator import coordinates, outcome, plan, summary
from supervisor.models.demo.reactions import acknowledge, react
from supervisor.models.demo.report import report_ending, report_steps, wants_a_report
from supervisor.models.demo.tour import detour, ending, next_stage

GREETING = (
    "I am Flagman's scripted demo, not a language model. For one set `FLAGMAN_MODEL` and its provider's key."
)


@dataclass(frozen=True)
class Step:
    """One reply of the demo. Without calls, the session is finished."""

    text: str
    calls: tuple[Call, ...] = ()


def next_step(request: ModelRequest) -> Step:
    """Return the step that follows: of the coordinator's script, of the report's, or of the tour."""
    if request.purpose == "summary":
        return Step(summary(request))
    follows = _follows(request)
    opening = [GREETING] if begins(request) else [*acknowledge(request), *react(request)]
    text = join([*opening, follows.text])
    return Step(text, tuple(_asked(call, text) for call in follows.calls))


def _asked(call: Call, text: str) -> Call:
    """Return a question with the text of its step below it, which its message does not show otherwise."""
    tool, arguments = call
    if tool != "ask_human":
        return call
    return tool, {**arguments, "question": join([str(arguments["question"]), text])}


def _follows(request: ModelRequest) -> Step:
    position, instead = position_of(request)
    if coordinates(request):
        return Step(_plan_ending(request)) if position and not instead else _plan(request, instead)
    if instead and (other := detour(request, instead)):
        return Step(other.text, other.calls)
    if wants_a_report(task_of(request)):
        steps = list(report_steps(request))
        return Step(*steps[position]) if position < len(steps) else Step(report_ending(request))
    stage = next_stage(request, position)
    return Step(stage.text, stage.calls) if stage else Step(ending(request))


def _plan(request: ModelRequest, instead: str) -> Step:
    text = "I split this over three sub-agents; the last one needs what the others found."
    return Step(text, ((PLAN, plan(request, instead or task_of(request))),))


def _plan_ending(request: ModelRequest) -> str:
    results = [result for result in results_of(request) if result.outcome in ("ran", "changed")]
    lines = [outcome(result.content) for result in results] or ["No sub-agent was launched."]
    again = 'What to try next: the guided tour of one agent, with `launch sre "check the disk"`.'
    return join([f"Done with: {one_line(task_of(request))}", *lines, again])
