"""The commands of a sub-agent are granted what its persona and every persona above it are granted, and no more."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.persona import Grants, Persona, person_id

PATHS = st.lists(st.sampled_from(["/a", "/a/b", "/a/bc", "/a/b/c", "/ab", "/b"]), unique=True, max_size=4)
GRANTS = st.builds(
    Grants,
    network=st.booleans(),
    read=PATHS.map(tuple),
    env=st.lists(st.sampled_from(["A", "B", "C"]), unique=True).map(tuple),
)


def persona(sandbox: Grants, under: Persona | None = None) -> Persona:
    return Persona(name="p", description="d", instructions="i", sandbox=sandbox, under=under)


@given(GRANTS, GRANTS, GRANTS)
def test_each_level_has_those_of_its_grants_that_the_level_above_has(
    top: Grants, middle: Grants, own: Grants
) -> None:
    below_top = persona(middle, persona(top))
    for sandbox, above, found in (
        (middle, top, below_top.grants),
        (own, below_top.grants, persona(own, below_top).grants),
    ):
        assert found.network == (sandbox.network and above.network)
        assert found.env == tuple(name for name in sandbox.env if name in above.env)
        assert found.read == tuple(p for p in sandbox.read if any(is_below(p, one) for one in above.read))
    assert persona(own).grants == own


def is_below(path: str, above: str) -> bool:
    return PurePosixPath(path).is_relative_to(above)


@pytest.mark.parametrize("user", ["U1", "slack:U1", "team:U1"])
def test_a_person_has_one_id_however_it_is_named(user: str) -> None:
    assert person_id(user) == "slack:U1"
