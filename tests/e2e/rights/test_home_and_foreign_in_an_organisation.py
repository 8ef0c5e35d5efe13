"""Who is at home where Flagman is installed in a workspace of an Enterprise organisation, or in all of it."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.workspaces import Home, teams_of, workspaces_of
from supervisor.core.errors import NotAllowed
from supervisor.core.events import Actor
from supervisor.core.rights import check_standing

ORG, OTHER_ORG = "E0ORG0001", "E0OTHER01"
HOME, SIBLING, FOREIGN = "T0HOME001", "T0SIBLING", "T0FOREIGN"
WORKSPACE = Home.of({"team_id": HOME, "enterprise_id": ORG, "is_enterprise_install": False})
WHOLE = [
    Home.of({"team_id": None, "enterprise_id": ORG, "is_enterprise_install": True}),
    Home.of({"team_id": ORG, "enterprise_id": ORG, "is_enterprise_install": True}),
    Home.of({"enterprise_id": ORG}),
]


def person(team: str, *teams: str, org: str = "", **more: Any) -> dict[str, Any]:
    """A person as `users.info` describes them; one of an organisation has `enterprise_user`."""
    enterprise = {"enterprise_user": {"id": "W1", "enterprise_id": org, "teams": list(teams)}} if org else {}
    return {"id": "U0PERSON1", "team_id": team, **enterprise, **more}


@pytest.mark.parametrize("team", [HOME, SIBLING, ORG])
def test_a_person_of_the_workspace_is_at_home_whatever_team_id_says(team: str) -> None:
    assert WORKSPACE.kind(person(team, HOME, SIBLING, org=ORG), ()) == "member"


@pytest.mark.parametrize("team", [SIBLING, ORG])
def test_a_person_of_a_sibling_workspace_is_no_member_by_the_organisation(team: str) -> None:
    assert WORKSPACE.kind(person(team, SIBLING, org=ORG), ()) == "external"
    assert WORKSPACE.kind(person(team, SIBLING, org=ORG), {SIBLING}) == "member"
    assert WORKSPACE.kind(person(team, SIBLING, org=ORG), {ORG}) == "member"


def test_the_organisation_alone_says_nothing_of_a_workspace() -> None:
    assert WORKSPACE.kind(person(ORG), ()) == "external"


@pytest.mark.parametrize("home", WHOLE)
def test_an_app_of_the_whole_organisation_has_all_of_its_workspaces_at_home(home: Home) -> None:
    assert home.is_organisation
    assert home.kind(person(SIBLING, SIBLING, org=ORG), ()) == "member"
    assert home.kind(person(ORG, SIBLING, org=ORG), ()) == "member"
    for stranger in (person(FOREIGN), person(FOREIGN, FOREIGN, org=OTHER_ORG), person(OTHER_ORG)):
        assert home.kind(stranger, ()) == "external"


@pytest.mark.parametrize("home", [WORKSPACE, *WHOLE])
def test_what_a_person_is_comes_before_where_they_are(home: Home) -> None:
    at_home = person(HOME, HOME, org=ORG)
    assert home.kind({**at_home, "deleted": True}, ()) == "deactivated"
    assert home.kind({**at_home, "is_bot": True}, ()) == "bot"
    assert home.kind({**at_home, "is_restricted": True}, ()) == "guest"
    assert home.kind({**at_home, "is_stranger": True}, ()) == "external"


@pytest.mark.parametrize("named", [SIBLING, ORG])
def test_a_rule_may_name_any_workspace_of_a_person_or_the_organisation(named: str) -> None:
    actor = Actor(
        id="slack:U0PERSON1", kind="external", teams=teams_of(person(ORG, SIBLING, "T0THIRD01", org=ORG))
    )
    check_standing(actor, guests=False, teams=(named,))
    with pytest.raises(NotAllowed):
        check_standing(actor, guests=False, teams=(FOREIGN,))


def test_a_channel_is_in_the_workspaces_that_it_names() -> None:
    assert workspaces_of({"context_team_id": ORG, "shared_team_ids": [ORG, SIBLING]}) == {SIBLING}
    assert workspaces_of({"context_team_id": HOME, "internal_team_ids": [SIBLING]}) == {HOME, SIBLING}
    assert workspaces_of({}) == frozenset()
