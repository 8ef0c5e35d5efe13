"""A request says what its approvers should know: that too few can approve it, and what its command may reach."""

from __future__ import annotations

from typing import Any

import pytest

from bot.cli.output import call as print_call
from supervisor.contract.models import CallView
from supervisor.contract.service import SessionService
from supervisor.core.commands.approvals import Seen
from supervisor.core.events import Actor
from supervisor.core.persona import Grants
from supervisor.core.state import Session
from supervisor.core.text.requests import NO_SANDBOX, TOO_FEW
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, KEN, MARGARET, OPS, Json, Slack, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
SHELL = in_turn(calls(("shell", {"command": "true"})), says("Done."))
GRANTS: dict[str, Any] = {"network": True, "read": ["/srv/releases"], "env": ["KUBECONFIG"]}


def rule(**approvers: Any) -> dict[str, Any]:
    return {"approvals": [{"tool": "deploy", "mode": "ask", "approvers": approvers}]}


async def view(scene: Scene, session: Session) -> CallView:
    service = SessionService(scene.flagman.core.services(), Actor(id=f"slack:{ADA}"))
    return (await service.get(session.id)).calls[0]


async def request(scene: Scene, *, user: str = ADA) -> tuple[Session, Json]:
    session = await scene.waiting(await scene.launch(user=user))
    (message,) = await scene.asked(session)
    return session, message


@pytest.mark.parametrize(
    ("approvers", "others"),
    [
        ({"groups": ["leads"], "quorum": 2}, [MARGARET]),
        ({"groups": ["sre"], "quorum": 3, "exclude_requester": True}, [GRACE, MARGARET]),
        ({"users": [ADA], "exclude_requester": True}, []),
    ],
)
async def test_too_few_people_are_told_at_once_and_an_admin_decides(
    scenario: Director, approvers: dict[str, Any], others: list[str]
) -> None:
    scene = await scenario(ONE, persona=rule(**approvers), admins=KEN)
    session, message = await request(scene)
    assert TOO_FEW in texts(message)
    assert (await view(scene, session)).notes == [TOO_FEW]
    for person in (*others, KEN):
        assert (await scene.slack.click(person, OPS, message["ts"], APPROVE))["ok"]
    assert (await scene.ended(session)).call("1.1").decisions[-1].via == "admin"


async def test_the_group_of_the_playground_satisfies_the_example_of_the_readme(scenario: Director) -> None:
    scene = await scenario(ONE, persona=rule(groups=["sre"], quorum=2, exclude_requester=True))
    session, message = await request(scene)
    assert TOO_FEW not in texts(message)
    assert (await view(scene, session)).notes == []
    for person in (GRACE, MARGARET):
        assert (await scene.slack.click(person, OPS, message["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert len(scene.runs("deploy")) == 1


async def test_where_the_people_cannot_be_read_nothing_is_claimed(scenario: Director, slack: Slack) -> None:
    await slack.settings(usergroups_error="internal_error")
    scene = await scenario(ONE, persona=rule(groups=["leads"], quorum=2))
    _, message = await request(scene)
    assert TOO_FEW not in texts(message)


async def test_a_change_by_the_only_approver_leaves_too_few(scenario: Director) -> None:
    scene = await scenario(ONE, persona=rule(groups=["leads"], exclude_requester=True))
    session, message = await request(scene)
    assert TOO_FEW not in texts(message)
    core = scene.flagman.core
    margaret = Actor(id=f"slack:{MARGARET}", name="Margaret", groups=("leads",))
    service = SessionService(core.services(), margaret)
    seen = await view(scene, session)
    await service.edit(session.id, "1.1", {"service": "bank"}, seen=Seen(seen.digest, seen.request))
    assert (await view(scene, session)).notes == [TOO_FEW]

    async def told() -> bool:
        return any(TOO_FEW in texts(row) for row in await scene.asked(session))

    await wait_for(told)


async def test_a_pause_that_nobody_may_end_says_so(scenario: Director) -> None:
    persona = {
        "approvals": [
            {"tool": "approval", "mode": "ask", "approvers": {"users": [ADA], "exclude_requester": True}}
        ]
    }
    waits = in_turn(calls(("wait_for", {"condition": "approval", "reason": "a second look"})), says("Done."))
    scene = await scenario(waits, persona=persona)
    session = await scene.flagman.session(lambda s: s.approval is not None, (await scene.launch()).id)
    assert session.approval
    assert session.approval.too_few
    card = await scene.card(session)

    async def told() -> bool:
        return any(TOO_FEW in texts(row) for row in await scene.slack.messages(OPS, card["ts"]))

    await wait_for(told)


async def test_what_the_sandbox_grants_stands_in_the_request(
    scenario: Director, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = await scenario(SHELL, persona={"sandbox": GRANTS}, sandbox="require")
    session, message = await request(scene)
    said = "Its sandbox grants the network of this host, reading /srv/releases, the variable KUBECONFIG."
    lacks = "It may read /srv/releases, which is not there. It may use the variable KUBECONFIG, which is not set here."
    assert said in texts(message)
    assert lacks in texts(message)
    shown = await view(scene, session)
    assert (shown.grants, shown.notes) == (Grants.model_validate(GRANTS), [said, lacks])
    print_call(shown)
    assert f"! {said}" in capsys.readouterr().out


async def test_a_missing_sandbox_stands_in_the_request(
    scenario: Director, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/etc/kube")
    scene = await scenario(SHELL, persona={"sandbox": GRANTS}, sandbox="off")
    session, message = await request(scene)
    assert NO_SANDBOX in texts(message)
    assert "Its sandbox grants" not in texts(message)
    shown = await view(scene, session)
    assert shown.notes == [NO_SANDBOX]
    print_call(shown)
    assert f"! {NO_SANDBOX}" in capsys.readouterr().out


async def test_what_runs_no_command_says_nothing_of_a_sandbox(scenario: Director) -> None:
    scene = await scenario(ONE, persona={"sandbox": GRANTS}, sandbox="off")
    session, message = await request(scene)
    assert "sandbox" not in texts({"blocks": message["blocks"]})
    shown = await view(scene, session)
    assert (shown.grants, shown.notes) == (None, [])
