"""What a persona grants becomes the command line of bubblewrap."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.core.persona import Grants, Persona
from supervisor.tools.sandbox import Sandbox, bwrap_command

DATA, FOLDER = Path("/srv/flagman"), Path("/srv/flagman/workspace/aaaa-bbbb")


def line(**more: bool | list[Path]) -> list[str]:
    sandbox = Sandbox("/usr/bin/bwrap", (DATA,))
    return bwrap_command(sandbox, ["true"], folder=FOLDER, descriptor=7, status=8, **more)  # type: ignore[arg-type]


def mounts(command: list[str]) -> list[tuple[str, str]]:
    """What is mounted where, in its order."""
    sources = ("--ro-bind", "--ro-bind-try", "--bind-fd")
    found = [
        (word, command[at + (2 if word in sources else 1)])
        for at, word in enumerate(command)
        if word[:2] == "--"
    ]
    return [(word, where) for word, where in found if word in (*sources, "--tmpfs", "--remount-ro")]


@pytest.mark.parametrize("network", [False, True])
def test_the_network(network: bool) -> None:
    command = line(network=network)
    assert ("--unshare-net" in command) == (not network)
    assert command[-2:] == ["--", "true"]


def test_what_is_hidden_is_hidden_after_what_may_be_read() -> None:
    found = mounts(line(read=[Path("/srv")]))
    order = [
        ("--ro-bind-try", "/srv"),
        ("--tmpfs", str(DATA)),
        ("--bind-fd", str(FOLDER)),
        ("--remount-ro", str(DATA)),
    ]
    assert [mount for mount in found if mount in order] == order
    assert [where for how, where in found if how == "--bind-fd"] == [str(FOLDER)]
    assert {where for how, where in found if how == "--remount-ro"} == {str(DATA), "/dev", "/proc", "/"}


def persona(under: Persona | None = None, **granted: object) -> Persona:
    sandbox = Grants.model_validate(granted)
    return Persona(name="ops", description="Does.", instructions="Do.", sandbox=sandbox, under=under)


def test_a_sub_agent_is_granted_no_more_than_who_launched_it() -> None:
    above = persona(read=["/srv/a", "/srv/b"], env=["REGION"])
    asks = {"network": True, "read": ["/srv/a/deep", "/srv/ab", "/srv"], "env": ["REGION", "TOKEN"]}
    assert persona(above, **asks).grants == Grants(read=("/srv/a/deep",), env=("REGION",))
    assert persona(persona(persona(), network=True), network=True).grants == Grants()
    assert persona(persona(network=True), network=True).grants.network


def test_a_persona_without_grants_keeps_its_digest() -> None:
    assert "sandbox" not in persona(persona()).model_dump_json()
    granting = persona(persona(network=True), network=True)
    assert Persona.model_validate_json(granting.model_dump_json()) == granting
    assert granting.digest != persona().digest


@pytest.mark.parametrize("path", ["srv", "/", "/srv/../etc", "/srv/.", "/srv/", ""])
def test_a_folder_to_read_is_a_plain_absolute_path(path: str) -> None:
    with pytest.raises(ValueError, match="read"):
        persona(read=[path])
    assert persona(read=["/srv/.hidden/..x"]).grants.read
