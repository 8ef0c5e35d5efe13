"""Whether enough people could approve is asked once a minute, and not of a directory that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

import supervisor.quorum
from supervisor.core.persona import Approvers
from supervisor.core.reducer import fold
from supervisor.quorum import Quorum
from tests.core.build import SID, launched

SESSION = fold(SID, [launched()])
RULE = Approvers(groups=("S-OPS",), quorum=2, exclude_requester=True)


def nobody(rule: Approvers) -> frozenset[str]:
    return frozenset()


async def test_that_there_are_enough_is_remembered_and_that_there_are_not_is_asked_again() -> None:
    asked: list[frozenset[str]] = []
    people = 1

    async def reach(rule: Approvers, without: Collection[str], workspace: str) -> int:
        asked.append(frozenset(without))
        return people

    quorum = Quorum(reach)
    assert await quorum.too_few(SESSION, [RULE], nobody)
    people = 2
    for _ in range(3):
        assert not await quorum.too_few(SESSION, [RULE], nobody)
    assert asked == [SESSION.requesters] * 2
    assert not await quorum.too_few(SESSION, [RULE], lambda _: frozenset({"slack:U9"}))
    assert asked[2:] == [SESSION.requesters | {"slack:U9"}]


async def test_a_directory_that_does_not_answer_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor.quorum, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(supervisor.quorum, "SLOW_SECONDS", 0.0)
    asked = 0

    async def reach(rule: Approvers, without: Collection[str], workspace: str) -> int:
        nonlocal asked
        asked += 1
        return await asyncio.Event().wait()

    quorum = Quorum(reach)
    for _ in range(20):
        assert not await quorum.too_few(SESSION, [RULE], nobody)
    assert asked == 1
