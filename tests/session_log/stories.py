"""A few rich sessions, told event by event, as whoever reads a SESSION_LOG would find them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from supervisor.core.conditions import Cron, OnEvent, Webhook, parse_condition
from supervisor.core.events import (
    Actor,
    BudgetRaised,
    CallEdited,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    Compacted,
    Completed,
    ContextAdded,
    OutcomeDecided,
    OutcomeLost,
    Paused,
    QuestionAnswered,
    QuestionAsked,
    Resumed,
    SessionForked,
    TimerSet,
    WaitBegun,
    WaitEnded,
)
from supervisor.core.events.base import NOTE_DECISION
from supervisor.core.messages import Json, Usage
from supervisor.core.persona import ApprovalRule, Approvers, Budgets, Persona
from tests.session_log.story import ADA, CLOCK, GRACE, MARGARET, MODEL, PIPELINE, Story, call

RELEASER = Persona(
    name="release-manager",
    description="Prepares releases and carries them out one approved step at a time.",
    model=MODEL,
    tools=("shell", "read_file", "write_file", "ask_human", "wait_for"),
    approvals=(
        ApprovalRule(tool="read_file", mode="allow"),
        ApprovalRule(tool="shell", mode="ask", approvers=Approvers(groups=("S0SRE0001",), quorum=2)),
    ),
    budgets=Budgets(max_steps=6, max_cost_usd=Decimal(5)),
    instructions="You bring a version from merged to running.",
)
COORDINATOR = Persona(
    name="project-coordinator",
    description="Gathers where things stand.",
    tools=("plan_tasks",),
    agents=("*",),
    budgets=Budgets(max_steps=20),
    instructions="You coordinate.",
)


TWO = Approvers(groups=("S0SRE0001",), quorum=2)
LOG = "\n".join(
    f"{n:03} checkout[{4000 + n}]: health check {'ok' if n % 7 else 'slow: 812 ms'}" for n in range(1, 90)
)


def release() -> Story:
    """A release with a changed call, a denial, a question, a webhook, a crash and a raised budget; it completes."""
    story = Story(RELEASER)
    story.launched(
        "Release checkout 2.14.1 to production.\n\n- window: today before 11:00 UTC\n- commit `4f1d2c9`"
    )
    story.said(
        "I read the plan of the last release first.",
        call("read_file", {"path": "release-plan.md"}, "allow", idempotent=True),
    )
    story.ran("1.1", "# Plan 2.14.0\n\n1. drain\n2. deploy\n3. health", ms=12)
    story.add(
        ContextAdded,
        GRACE,
        after=3,
        text="Please leave eu-west out, it is frozen until Friday.",
        kind="reply",
    )
    story.said(
        "I write the plan down, and propose the first step.\n\n1. drain **one** node\n2. look",
        call(
            "write_file",
            {
                "path": "release-plan.md",
                "content": "# Plan 2.14.1\n\n1. drain us-east-1a\n2. deploy 4f1d2c9\n3. health, 10 minutes\n",
            },
        ),
        call(
            "shell",
            {"command": "deployctl drain --region us-east-1 --all", "timeout": 60},
            approvers=TWO,
            reason="A release step; compare it with the plan.",
        ),
        seen=1,
    )
    story.asked("2.1", "2.2")
    story.decided(ADA, "2.1")
    story.ran("2.1", "wrote 74 bytes", ms=3, artifacts=("release-plan.md",))
    changed = call("shell", {"command": "deployctl drain --node us-east-1a", "timeout": 60}, approvers=TWO)
    new = changed.model_copy(update={"call_id": "2.2", "ref": "toolu_2_2"})
    story.add(
        CallEdited,
        ADA,
        after=65,
        call_id="2.2",
        before=story.call("2.2").digest,
        call=new,
        via="group:S0SRE0001",
    )
    story.decided(ADA, "2.2", after=0.001)
    story.decided(GRACE, "2.2", after=130, reason="One node is fine.")
    story.ran("2.2", "draining us-east-1a\n0 connections left", ms=8200)
    story.said(
        "Drained. Two ways from here, and both are yours to choose.",
        call(
            "ask_human",
            {"question": "Deploy to all of us-east-1, or one node first?", "options": ["All", "One node"]},
            "allow",
            control=True,
        ),
    )
    story.add(
        QuestionAsked,
        after=0.01,
        call_id="3.1",
        question="Deploy to all of us-east-1, or one node first?",
        options=("All", "One node"),
    )
    story.add(QuestionAnswered, MARGARET, after=320, call_id="3.1", answer="One node")
    story.said(
        "One node, then. I also propose to skip the health check.",
        call("shell", {"command": "deployctl deploy 4f1d2c9 --node us-east-1a"}, approvers=TWO),
        call("shell", {"command": "deployctl health --skip"}, approvers=TWO),
    )
    story.asked("4.1", "4.2")
    story.decided(GRACE, "4.2", "deny", reason="Never skip it.")
    story.decided(ADA, "4.1")
    story.decided(GRACE, "4.1", after=5)
    story.started("4.1")
    story.add(OutcomeLost, after=9, call_id="4.1", attempt=1)
    story.add(
        OutcomeDecided,
        GRACE,
        after=240,
        call_id="4.1",
        verdict="done",
        result="4f1d2c9 runs on us-east-1a, I looked.",
        via="group:S0SRE0001",
    )
    story.said(
        "I wait for the canary's own report.",
        call(
            "wait_for",
            {"condition": "webhook: canary_done", "reason": "The canary reports after ten minutes"},
            "allow",
            control=True,
        ),
    )
    story.add(WaitBegun, after=0.01, call_id="5.1")
    story.add(
        Paused,
        after=0.001,
        reason="external_dependency",
        detail="The canary reports after ten minutes",
        conditions=(Webhook(type="webhook", name="canary_done"),),
    )
    data = {"verdict": "pass", "error_rate": 0.0012}
    story.add(
        Resumed,
        Actor(id="webhook:canary_done"),
        after=604,
        trigger="webhook",
        condition="webhook: canary_done",
        data=data,
    )
    story.add(
        WaitEnded,
        Actor(id="webhook:canary_done"),
        after=0,
        call_id="5.1",
        content='Data that came with it: {"verdict":"pass"}',
    )
    story.said(
        "Passed. I look at the logs once more.",
        call("shell", {"command": "tail -n 89 /var/log/checkout.log"}, approvers=TWO),
    )
    story.asked("6.1")
    story.decided(ADA, "6.1")
    story.decided(GRACE, "6.1", after=2)
    story.ran("6.1", LOG, ms=41)
    story.add(Paused, after=0.01, reason="budget_exceeded", detail="6 of 6 steps are used.")
    more = RELEASER.budgets.model_copy(update={"max_steps": 12})
    story.add(BudgetRaised, ADA, after=77, budgets=more)
    story.add(Resumed, ADA, after=0, context="Finish, please.")
    words = (
        "Checkout **2.14.1** runs on us-east-1a since 09:47 UTC.\n\n- checked: canary, log\n- open: the rest"
    )
    story.said(words, seen=1)
    story.add(Completed, after=0.01, summary=words)
    return story


def plan() -> Story:
    """A plan of sub-agents, of which one fails and a person decides; the plan is still at work."""
    story = Story(COORDINATOR)
    story.launched("Find out why checkout is slow.", GRACE)
    subtasks: list[Json] = [
        {"id": "logs", "persona": "sre", "task": "Read the logs of checkout."},
        {"id": "database", "persona": "sre", "task": "Look at slow queries."},
        {"id": "changes", "persona": "release-manager", "task": "List what was released since Monday."},
        {
            "id": "report",
            "persona": "project-coordinator",
            "task": "Write it up.",
            "depends_on": ["logs", "database", "changes"],
        },
    ]
    story.said(
        "Three looks at once, then a report.",
        call("plan_tasks", {"subtasks": subtasks, "on_failure": "ask"}, control=True),
    )
    story.asked("1.1")
    story.decided(GRACE, "1.1")
    for name, persona in (("logs", "sre"), ("database", "sre"), ("changes", "release-manager")):
        task = next(s["task"] for s in subtasks if s["id"] == name)
        story.add(
            ChildLaunched,
            after=0.001,
            call_id="1.1",
            child_id=f"{name[:4]}-0001",
            name=name,
            persona=persona,
            task=task,
        )
    used: Json = {
        "steps": 4,
        "usage": Usage(input_tokens=9000, output_tokens=800),
        "cost_usd": Decimal("0.039"),
    }
    story.add(
        ChildFinished,
        after=300,
        child_id="logs-0001",
        ending="completed",
        result="p99 rose from 120 ms to 2.1 s at **07:12 UTC**.",
        artifacts=("findings.md",),
        **used,
    )
    story.add(
        ChildFinished,
        after=20,
        child_id="data-0001",
        ending="failed",
        result="No access to the database.",
        steps=1,
        usage=Usage(input_tokens=2000, output_tokens=90),
        unpriced=True,
    )
    story.add(ChildDecided, GRACE, after=45, child_id="data-0001", verdict="skip")
    return story


def copy() -> Story:
    """A copy of another session, its steps summed up, which waits for an approval that somebody put off."""
    story = Story(RELEASER)
    story.launched("Watch the shop over the weekend.", PIPELINE)
    for n in range(1, 4):
        story.said(f"Look {n}.", call("read_file", {"path": f"status-{n}.md"}, "allow", idempotent=True))
        story.ran(f"{n}.1", f"all well, {n}", ms=5)
    story.add(
        SessionForked,
        MARGARET,
        after=3600,
        source="zz99-yy88",
        step=3,
        version=10,
        requesters=("api:pipeline",),
    )
    story.add(
        Compacted,
        Actor(id=f"model:{MODEL}"),
        after=4,
        through_step=2,
        summary="Twice I looked, and all was well.",
        usage=Usage(input_tokens=900, output_tokens=30),
        cost_usd=Decimal("0.00315"),
        model=MODEL,
        duration_ms=3100,
    )
    condition = parse_condition("cron: 0 9 * * MON-FRI", now=story.now, zone="Europe/Berlin")
    assert isinstance(condition, Cron)
    event = OnEvent(type="event", event="deploy.finished")
    story.add(
        Paused, MARGARET, after=30, reason="scheduled", detail="Until Monday", conditions=(condition, event)
    )
    story.add(Resumed, CLOCK, after=2 * 86400, trigger="clock", condition=str(condition))
    story.said(
        "I restart the cache now.",
        call("shell", {"command": "systemctl restart cache"}, approvers=TWO),
        seen=1,
    )
    story.asked("4.1")
    story.decided(ADA, "4.1")
    story.add(
        TimerSet,
        GRACE,
        after=5,
        timer_id="t1",
        due=story.now + timedelta(hours=1),
        about="r99",
        text="look at the cache",
    )
    return story


def design() -> Story:
    """A session that noted a decision, wrote and removed files by commands, and is paused with a message unread."""
    story = Story(RELEASER)
    story.launched("Design the sign-in of the shop.")
    noted = {"decision": "Use JWT", "why": "No session store, and both services can check it."}
    story.said(
        "I choose and sketch.",
        call(NOTE_DECISION, noted, "allow", idempotent=True),
        call("shell", {"command": "make sketch"}, "allow"),
    )
    story.ran("1.1", "Noted.", ms=0)
    story.ran("1.2", "exit code 0", artifacts=("draft.md", "src/sign_in.py"))
    story.said("The draft is not needed.", call("shell", {"command": "mv draft.md design.md"}, "allow"))
    story.ran("2.1", "exit code 0", artifacts=("design.md",), removed=("draft.md",))
    story.add(ContextAdded, GRACE, text="Mind the old app.")
    story.add(Paused, GRACE, reason="manual", detail="Until I have read it")
    return story


STORIES: dict[str, Callable[[], Story]] = {"release": release, "plan": plan, "copy": copy, "design": design}
