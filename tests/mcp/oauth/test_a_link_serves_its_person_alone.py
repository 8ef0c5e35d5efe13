"""Connecting a server: what the link, the cookie, the state and the way back hold together, and what they refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from bot.compose import Core, core
from bot.processes.web import application, listen
from storage import keys
from storage.rows import RowStore
from supervisor.connections import linking
from supervisor.contract.connections import ConnectionService
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor
from tests.mcp.oauth.authority import Authority
from tests.mcp.oauth.browser import Browser
from tests.mcp.oauth.conftest import mcp_file
from tests.support.flagman import settings
from tests.support.slack import ADA, GRACE, Slack

A, G = Actor(id=f"slack:{ADA}", name="ada"), Actor(id=f"slack:{GRACE}", name="grace")


@dataclass
class Served:
    """A Flagman that serves its pages."""

    core: Core
    services: Any

    async def link(self, actor: Actor = A) -> str:
        return (await ConnectionService(self.services, actor).connect("notes")).url

    async def accounts(self, actor: Actor = A) -> list[str]:
        found = await ConnectionService(self.services, actor).list()
        return [one.server for one in found.connections]


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack() as running:
        yield running


@pytest.fixture
async def flagman(
    notes: Authority, slack: Slack, redis: Redis, valkey_url: str, tmp_path: Path
) -> AsyncIterator[Served]:
    config = settings(slack.api_url, valkey_url, tmp_path / "data", mcp=mcp_file(tmp_path, notes))
    async with core(config) as parts:
        from bot.processes.slack import clients
        from handlers.users import People

        async with clients(config) as (client, _):
            parts.directory.connect(People(client))
            async with listen(application(parts), config):
                yield Served(parts, parts.services())


def changed(url: str, **query: str | None) -> str:
    """The address with other parameters; None leaves one out."""
    parts = urlsplit(url)
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    left = {name: value for name, value in {**given, **query}.items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(left)))


async def test_a_person_connects_a_server_and_the_page_says_who_and_what(
    flagman: Served, notes: Authority, browser: Browser, redis: Redis
) -> None:
    link = await flagman.link()
    status, page = await browser.get(link)
    assert status == 200
    assert "Continue as ada" in page
    page = await browser.connect(link)
    assert "<b>ada</b> has connected <b>notes</b>" in page
    assert await flagman.accounts() == ["notes"]
    assert await flagman.accounts(G) == [], "nobody else is connected by it"
    assert notes.resources == [f"{notes.url}/mcp"], "a token is for this server alone"
    rows = {
        **await RowStore(redis, keys.connections()).all(),
        **await RowStore(redis, keys.registrations()).all(),
    }
    stored = b"".join(rows.values()).decode()
    assert len(rows) == 2
    secret = next(iter(notes.clients.values())).client_secret
    assert not [token for token in [*notes.given, str(secret)] if token in stored]
    status, page = await browser.get(link)
    assert (status, "was used before" in page) == (400, True), "a link works once"
    assert "What it has connected stays connected" in page


async def test_the_way_back_works_once_and_only_as_it_was_begun(
    flagman: Served, notes: Authority, browser: Browser
) -> None:
    back = await browser.sign_in(await flagman.link())
    async with Browser() as other:
        status, page = await other.get(back)
    assert (status, "begun in another browser" in page) == (400, True), "nobody else takes the code"
    status, page = await browser.get(back)
    assert (status, "was used before" in page) == (400, True), "and it is worth nothing after that"
    back = await browser.sign_in(await flagman.link())
    assert (await browser.get(back))[0] == 200
    assert (await browser.get(back))[0] == 400
    for wrong in (changed(back, state="forged"), changed(back, state=None)):
        status, page = await browser.get(wrong)
        assert (status, "Nothing was changed" in page) == (400, True)


async def test_a_state_of_somebody_else_connects_nobody(
    flagman: Served, notes: Authority, browser: Browser
) -> None:
    notes.signs_in = "octo-grace"
    async with Browser() as hers:
        back_of_grace = await hers.sign_in(await flagman.link(G))
        back_of_ada = await browser.sign_in(await flagman.link(A))
        mixed = changed(back_of_ada, code=parse_qs(urlsplit(back_of_grace).query)["code"][0])
        status, page = await browser.get(mixed)
        assert (status, "refused (invalid_grant)" in page) == (400, True), "a code is bound to its verifier"
        assert (await browser.get(back_of_grace))[0] == 400
    assert await flagman.accounts(A) == await flagman.accounts(G) == []


async def test_the_button_works_only_in_the_browser_that_opened_its_page(
    flagman: Served, browser: Browser
) -> None:
    link = await flagman.link()
    _, page = await browser.get(link)
    async with Browser() as other:
        status, said = await other.press(link, page)
    assert (status, "begun in another browser" in said) == (400, True), "as from another site"
    assert (await browser.press(link, page))[0] == 303, "and it is not used up by that"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"link=1"),
        ("application/x-www-form-urlencoded", b"link=\xff"),
        ("application/x-www-form-urlencoded", b"a=1&" * 100),
        ("application/x-www-form-urlencoded", b"x" * 100_000),
    ],
)
async def test_what_no_page_sends_is_refused_in_a_sentence(flagman: Served, kind: str, body: bytes) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield body

    url = (await flagman.link()).partition("?")[0]
    async with (
        ClientSession() as session,
        session.post(url, data=parts(), headers={"Content-Type": kind}) as answer,
    ):
        assert answer.status == 400
        assert "Nothing was changed" in await answer.text()


@pytest.mark.parametrize(("iss", "status"), [("https://evil.example", 400), ("", 200), ("own", 200)])
async def test_the_answer_of_another_issuer_is_refused(
    flagman: Served, notes: Authority, browser: Browser, iss: str, status: int
) -> None:
    notes.iss = f"{notes.url}/" if iss == "own" else iss
    back = await browser.sign_in(await flagman.link())
    assert (await browser.get(back))[0] == status
    assert bool(await flagman.accounts()) is (status == 200)


async def test_a_server_that_has_forgotten_flagman_is_told_of_it_again(
    flagman: Served, notes: Authority, browser: Browser
) -> None:
    await browser.connect(await flagman.link())
    await browser.connect(await flagman.link())
    assert len(notes.clients) == 1, "it is registered once"
    notes.clients.clear()
    for _ in range(linking.MOST_UNANSWERED):
        _, page = await browser.get(link := await flagman.link())
        _, address = await browser.press(link, page)
        assert (await browser.get(address))[0] == 400, "its own page says so, and leads nowhere"
    await browser.connect(await flagman.link())
    assert len(notes.clients) == 1


async def test_an_expired_link_and_a_sign_in_that_was_cancelled_change_nothing(
    flagman: Served, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = await browser.sign_in(await flagman.link())
    status, page = await browser.get(changed(back, code=None, error="access_denied"))
    assert (status, "was cancelled or refused" in page) == (400, True)
    link, back = await flagman.link(), await browser.sign_in(await flagman.link())
    monkeypatch.setattr(linking, "LIFETIME", timedelta(seconds=-1))
    for address in (link, back):
        status, page = await browser.get(address)
        assert (status, "has expired" in page) == (400, True)
    assert await flagman.accounts() == []


async def test_removing_revokes_and_a_deactivated_person_keeps_nothing(
    flagman: Served, notes: Authority, browser: Browser, slack: Slack
) -> None:
    await browser.connect(await flagman.link())
    removed = await ConnectionService(flagman.services, A).remove("notes")
    assert removed.revoked
    assert notes.revoked == [notes.given[1]]
    assert await flagman.accounts() == []
    with pytest.raises(InvalidInput, match="have not connected"):
        await ConnectionService(flagman.services, A).remove("notes")
