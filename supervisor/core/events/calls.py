"""Events about one tool call: approval, change, run, question, wait."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import AwareDatetime, Field

from supervisor.core.elicitation.request import InputAction, InputRequest
from supervisor.core.events.base import DecisionFact, Fact, ToolCall
from supervisor.core.messages import Json
from supervisor.core.persona import Granted


class ApprovalRequested(Fact):
    """`requesters` are those who told the agent what to do since the last approval.

    `too_few` are the calls that fewer people could approve than it takes. For commands, `unsandboxed` says that they
    would run without a sandbox, and `grants` what one lets them use; None where that was not recorded. `previews` are
    what the tools of calls said they would do, as things stood. `reactions`: a reaction decides on a single call.
    """

    type: Literal["ApprovalRequested"] = "ApprovalRequested"
    doing: ClassVar[str] = "Asking for approval"
    request_id: str
    call_ids: tuple[str, ...]
    requesters: tuple[str, ...] = ()
    too_few: tuple[str, ...] = ()
    unsandboxed: bool = False
    grants: Granted | None = None
    previews: dict[str, str] = Field(default_factory=dict)
    reactions: bool = False


class ApprovalDecided(DecisionFact):
    """`via` is the right by which the actor decided: `anyone`, `user`, `group:<id>` or `admin`.

    With `respond` the call does not run, and `reason` is what the agent reads as its result. For a call with several
    rules it has one line for each, empty where the actor has no right by that rule. `how` says that it was made by a
    reaction to the message of the call.
    """

    type: Literal["ApprovalDecided"] = "ApprovalDecided"
    doing: ClassVar[str] = "Deciding on a call"
    call_id: str
    digest: str
    verdict: Literal["approve", "deny", "respond"]
    reason: str = ""
    via: str = "anyone"
    how: Literal["", "reaction"] = ""


class ApprovalOverdue(Fact):
    """A deadline of the rules about these calls has passed: their approvers are reminded, more people may decide, or
    the calls are closed without having run.
    """

    type: Literal["ApprovalOverdue"] = "ApprovalOverdue"
    doing: ClassVar[str] = "Passing a deadline"
    call_ids: tuple[str, ...]
    step: Literal["remind", "escalate", "expire"]


class ApprovalWithdrawn(Fact):
    """Who steers the session has taken a request back, with other instructions for the agent; the calls do not run."""

    type: Literal["ApprovalWithdrawn"] = "ApprovalWithdrawn"
    doing: ClassVar[str] = "Withdrawing a request"
    call_ids: tuple[str, ...]
    reason: str


class CallEdited(DecisionFact):
    """A person changed the arguments of a call that waits for approval; `via` is what gave the right.

    `before` is the digest of what was there; `call` has the new arguments, validated and ruled anew. `is_requester`:
    where another person than the requester has to approve, this person does not count alone. `too_few`: fewer people
    could approve the changed call than it takes.
    """

    type: Literal["CallEdited"] = "CallEdited"
    doing: ClassVar[str] = "Changing a call"
    call_id: str
    before: str
    call: ToolCall
    via: str = "anyone"
    is_requester: bool = False
    too_few: bool = False


class CallRuledAnew(Fact):
    """A call that needed no person when it was selected, and does as it is about to run: `call` has what holds now."""

    type: Literal["CallRuledAnew"] = "CallRuledAnew"
    doing: ClassVar[str] = "Ruling a call anew"
    call_id: str
    call: ToolCall


class ToolRedefined(Fact):
    """The server of a call's tool has changed it, or has it no longer: `call` has what it says now.

    People are asked about the call anew, or it is refused.
    """

    type: Literal["ToolRedefined"] = "ToolRedefined"
    doing: ClassVar[str] = "Asking about a changed tool"
    call_id: str
    call: ToolCall


class ToolStarted(Fact):
    type: Literal["ToolStarted"] = "ToolStarted"
    doing: ClassVar[str] = "Running a tool"
    call_id: str
    attempt: int
    idempotency_key: str
    digest: str


class ToolFinished(Fact):
    """`artifacts` are the files that the call wrote, `removed` those that the session had and that are gone since."""

    type: Literal["ToolFinished"] = "ToolFinished"
    doing: ClassVar[str] = "Recording a result"
    call_id: str
    attempt: int
    ok: bool
    content: str
    artifacts: tuple[str, ...] = ()
    duration_ms: int = 0
    removed: tuple[str, ...] = ()


class ToolNotBegun(Fact):
    """The worker that recorded the start did not run the tool: the session may have been another worker's by then.

    `held`: the call was allowed by a grant, which need not last until the next attempt, and so is looked at anew.
    """

    type: Literal["ToolNotBegun"] = "ToolNotBegun"
    doing: ClassVar[str] = "Recording that a tool did not run"
    call_id: str
    attempt: int
    held: bool = False


class OutcomeLost(Fact):
    """A worker died while the call ran, and it cannot be verified whether the call took effect.

    `artifacts` are the files that were written since it began. `why` says what was lost instead of the worker, such as
    the connection to the server of the tool.
    """

    type: Literal["OutcomeLost"] = "OutcomeLost"
    doing: ClassVar[str] = "Recording a lost result"
    call_id: str
    attempt: int
    artifacts: tuple[str, ...] = ()
    why: str = ""


class OutcomeDecided(DecisionFact):
    """A person's decision on a call with an unknown outcome; `via` is the right, which is that to approve it."""

    type: Literal["OutcomeDecided"] = "OutcomeDecided"
    doing: ClassVar[str] = "Saying what became of a call"
    call_id: str
    verdict: Literal["run_again", "done", "failed"]
    result: str = ""
    via: str = "anyone"


class QuestionAsked(Fact):
    type: Literal["QuestionAsked"] = "QuestionAsked"
    doing: ClassVar[str] = "Asking a question"
    call_id: str
    question: str
    options: tuple[str, ...] = ()


class QuestionAnswered(Fact):
    type: Literal["QuestionAnswered"] = "QuestionAnswered"
    doing: ClassVar[str] = "Answering a question"
    call_id: str
    answer: str


class InputRequested(Fact):
    """The server of a running call asks people for something, before it goes on.

    The attempt has ended, and the next one continues the call by the answers and the server's own `state`; or, with
    `until`, a worker holds it open until then.
    """

    type: Literal["InputRequested"] = "InputRequested"
    doing: ClassVar[str] = "Asking for input"
    call_id: str
    attempt: int
    requests: tuple[InputRequest, ...]
    state: str | None = None
    until: AwareDatetime | None = None


class InputGiven(Fact):
    """The answer to one request of a server, by its `key`: `content` has the fields, `answer` says it in words."""

    type: Literal["InputGiven"] = "InputGiven"
    doing: ClassVar[str] = "Answering a server"
    call_id: str
    key: str
    action: InputAction
    content: Json | None = None
    answer: str = ""


class WaitBegun(Fact):
    """A call of `wait_for` has begun to wait; the pause appended with it has the condition."""

    type: Literal["WaitBegun"] = "WaitBegun"
    doing: ClassVar[str] = "Waiting"
    call_id: str


class WaitEnded(Fact):
    """A call of `wait_for` has ended; `content` is its result, which the agent reads."""

    type: Literal["WaitEnded"] = "WaitEnded"
    doing: ClassVar[str] = "Ending a wait"
    call_id: str
    content: str


CallFact = (
    ApprovalRequested
    | ApprovalDecided
    | ApprovalOverdue
    | ApprovalWithdrawn
    | CallEdited
    | CallRuledAnew
    | ToolRedefined
    | ToolStarted
    | ToolFinished
    | ToolNotBegun
    | OutcomeLost
    | OutcomeDecided
    | QuestionAsked
    | QuestionAnswered
    | InputRequested
    | InputGiven
    | WaitBegun
    | WaitEnded
)
