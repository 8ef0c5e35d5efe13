"""Through Slack: a session waits for its requester to connect a server, goes on by itself, and runs as this person."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bot.resume_hints import hints_of
from bot.sdk.http_backend import HttpBackend
from handlers.users import People
from supervisor.core.state import Session
from supervisor.session_log.verify import verify
from tests.mcp.oauth.authority import Authority
from tests.mcp.oauth.browser import Browser
from tests.mcp.oauth.conftest import mcp_file
from tests.support.api import Client
from tests.support.ports import free_port
from tests.support.scenario import APPROVE, VIEW, Director, Scene, key_of
from tests.support.scripted import Behaviour, calls, in_turn, results, says
from tests.support.slack import ADA, BOT, GRACE, OPS, Json, buttons, texts, wait_for

OWNED, UNOWNED = "owned-key-0123456789abcdef", "unowned-key-0123456789abcdef"
CONNECT, OPEN, AGAIN = "connect_begin", "connect_open", "session_resume"
# How a key is read whole, by its type.
READ: dict[str, Callable[[Any, bytes], Any]] = {
    "hash": lambda redis, key: redis.hgetall(key),
    "string": lambda redis, key: redis.get(key),
    "set": lambda redis, key: redis.smembers(key),
    "list": lambda redis, key: redis.lrange(key, 0, -1),
    "zset": lambda redis, key: redis.zrange(key, 0, -1),
    "stream": lambda redis, key: redis.xrange(key),
}
PERSONA: dict[str, Any] = {"tools": ["notes__*"], "mcp_servers": ["notes"]}


def asks_whose(text: str = "hello") -> Behaviour:
    return in_turn(calls(("notes__whoami", {"text": text})), says("Done."))


async def set_up(scenario: Director, notes: Authority, folder: Path, script: Any, **more: Any) -> Scene:
    """A Flagman with the server, and its pages."""
    port = free_port()
    scene = await scenario(script, persona=PERSONA, mcp=mcp_file(folder, notes), port=port, **more)
    await scene.flagman.add_api(port)
    client = scene.flagman.core.directory.home.client
    assert client
    scene.flagman.cores[-1].directory.connect(People(client))
    return scene


async def offered(scene: Scene, user: str, button: str) -> Json:
    """The latest message that this person sees alone, with a button."""

    async def look() -> Json | None:
        rows = [row for ts in await threads(scene) for row in await scene.slack.messages(OPS, ts, user)]
        rows += await scene.slack.messages(OPS, None, user)
        found = [row for row in rows if row.get("ephemeral") and button in buttons(row)]
        return found[-1] if found else None

    return await wait_for(look)


async def threads(scene: Scene) -> list[str]:
    return [row["ts"] for row in await scene.slack.messages(OPS) if row.get("metadata")]


async def link_of(scene: Scene, user: str) -> str:
    """The link that a person gets by the command."""
    answer = await scene.slack.command(user, OPS, "connect notes")
    return link_in(answer["response"])


def link_in(answer: Json) -> str:
    found = [e for block in answer["blocks"] for e in block.get("elements", []) if e.get("url")]
    return str(found[0]["url"])


async def test_it_waits_is_offered_privately_goes_on_and_runs_as_the_requester(
    scenario: Director,
    notes: Authority,
    browser: Browser,
    tmp_path: Path,
    redis: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "flagman")
    scene = await set_up(scenario, notes, tmp_path, asks_whose())
    session = await scene.launch()
    paused = await scene.flagman.session(lambda s: s.waiting_for == "connection_required", session.id)
    assert scene.model.requests == [], "the model is asked once its tools are known"
    offer = await offered(scene, ADA, CONNECT)
    assert f"`{session.id}` uses `notes` as you" in texts(offer)
    card = await scene.card(session)
    notice = await wait_for(lambda: notice_of(scene, card))
    assert f"For <@{ADA}>" in texts(notice)
    assert "Resumes: when notes is connected" in texts(notice)
    await wait_for(lambda: on_home(scene, ADA))
    assert (await scene.slack.click(GRACE, OPS, notice["ts"], CONNECT))["ok"], (
        "who else presses it connects themselves"
    )
    assert (await scene.slack.click(ADA, OPS, notice["ts"], CONNECT))["ok"]
    page = await browser.connect(link_in(await offered(scene, ADA, OPEN)))
    assert "1 session resumed" in page
    (ask,) = await scene.asked(session)
    assert f"Runs as <@{ADA}> on `notes`" in texts(ask)
    await scene.slack.click(ADA, OPS, ask["ts"], VIEW)
    assert f"Runs as <@{ADA}> on `notes`" in texts(await scene.slack.view(ADA))
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    ended = await scene.ended(session)
    assert notes.calls == [("octo-ada", "hello")]
    assert ended.halts[-1].trigger == "connection"
    assert paused.halts[-1].reason == "connection_required"
    (told,) = results(scene.model.requests[-1])
    assert '"subject": "octo-ada"' in told
    assert '"token": "[masked]"' in told, "a tool that says the token tells nobody"
    await nothing_in_clear(scene, session, notes, redis, caplog.text)


async def notice_of(scene: Scene, card: Json) -> Json | None:
    """The message of the pause in the thread."""
    rows = await scene.slack.messages(OPS, card["ts"])
    return next((row for row in rows if key_of(row) == "halt:1"), None)


async def on_home(scene: Scene, user: str) -> bool:
    """Whether the home tab of a person says that it needs them."""
    return CONNECT in json.dumps(await scene.slack.home(user))


async def nothing_in_clear(
    scene: Scene, session: Session, notes: Authority, redis: Redis, logged: str
) -> None:
    """No token that was given stands in the store, in the SESSION_LOG, in Slack or in what was logged."""
    document = await scene.flagman.core.documents().text(session.id)
    assert verify(document.encode(), ["a-key-for-tests-only-0123456789abcdef"], hints_of).signed
    assert "connection_required" in document
    held = [logged, document]
    keys: Any = await redis.keys("*")
    for key in keys:
        kind: Any = await redis.type(key)
        read = READ.get(kind.decode())
        # One that has expired meanwhile has no type.
        held.append(str(await read(redis, key)) if read else "")
    held.append(json.dumps(await scene.slack.calls()))
    assert notes.given
    assert not [token for token in notes.given for text in held if token in text]


async def test_two_people_use_one_server_each_as_themselves(
    scenario: Director, notes: Authority, tmp_path: Path
) -> None:
    scene = await set_up(scenario, notes, tmp_path, asks_whose())
    for user, account in ((ADA, "octo-ada"), (GRACE, "octo-grace")):
        notes.signs_in = account
        async with Browser() as own:
            await own.connect(await link_of(scene, user))
    sessions = [await scene.launch(user=user) for user in (ADA, GRACE)]
    for session in sessions:
        (ask,) = await scene.asked(session)
        assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
        await scene.ended(session)
    assert [subject for subject, _ in notes.calls] == ["octo-ada", "octo-grace"], "whoever approves"


async def test_a_grant_for_a_place_is_for_calls_as_the_same_person_alone(
    scenario: Director, notes: Authority, tmp_path: Path
) -> None:
    keys = f"mine@{ADA}:launch+read+approve:{OWNED}"
    scene = await set_up(scenario, notes, tmp_path, asks_whose(), api_keys=SecretStr(keys))
    for user in (ADA, GRACE):
        notes.signs_in = user
        async with Browser() as own:
            await own.connect(await link_of(scene, user))
    first = await scene.launch()
    await scene.asked(first)
    async with Client(scene.flagman.config.public_address, OWNED) as api:
        (call,) = (await api.get(f"/v1/sessions/{first.id}"))["calls"]
        terms = {"scope": "channel", "until": "in 30m", "arguments": {"text": "*"}, "digest": call["digest"]}
        granted = await api.post(f"/v1/sessions/{first.id}/calls/1.1/grant", terms)
        assert granted.status in (200, 201), granted.body
    await scene.ended(first)
    await scene.ended(await scene.launch())
    assert [subject for subject, _ in notes.calls] == [ADA, ADA]
    await scene.asked(await scene.launch(user=GRACE))
    assert GRACE not in [subject for subject, _ in notes.calls], "nobody was asked about her"


async def test_a_token_that_is_refused_in_the_middle_is_renewed_and_one_that_cannot_be_pauses(
    scenario: Director, notes: Authority, browser: Browser, tmp_path: Path
) -> None:
    script = in_turn(
        calls(("notes__whoami", {"text": "one"})), calls(("notes__whoami", {"text": "two"})), says("Done.")
    )
    scene = await set_up(scenario, notes, tmp_path, script)
    await browser.connect(await link_of(scene, ADA))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    notes.expire()
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    again = await wait_for(lambda: another(scene, session, ask))
    assert (notes.calls, notes.refreshes) == ([("octo-ada", "one")], 1)
    notes.forget()
    assert (await scene.slack.click(ADA, OPS, again["ts"], APPROVE))["ok"]
    paused = await scene.flagman.session(lambda s: s.waiting_for == "connection_required", session.id)
    assert "connected before: the authorization server refused (invalid_grant)." in paused.halts[-1].detail
    answer = await scene.slack.command(ADA, OPS, "connections")
    assert "has to be connected again" in texts(answer["response"])
    await browser.connect(await link_of(scene, ADA))
    await scene.ended(session)
    assert notes.calls == [("octo-ada", "one"), ("octo-ada", "two")], (
        "the approval still counts, and runs once"
    )


async def another(scene: Scene, session: Session, before: Json) -> Json | None:
    return next((row for row in await scene.asked(session) if row["ts"] != before["ts"]), None)


async def test_what_is_connected_is_listed_and_removed_by_a_command(
    scenario: Director, notes: Authority, browser: Browser, tmp_path: Path
) -> None:
    scene = await set_up(scenario, notes, tmp_path, asks_whose())
    assert "You have connected no server" in texts(
        (await scene.slack.command(ADA, OPS, "connections"))["response"]
    )
    page = await browser.connect(await link_of(scene, ADA))
    assert "has connected <b>notes</b>" in page
    shown = texts((await scene.slack.command(ADA, OPS, "connections"))["response"])
    assert "`notes`" in shown
    assert "rights: `notes`" in shown
    assert "You have connected no server" in texts(
        (await scene.slack.command(GRACE, OPS, "connections"))["response"]
    )
    said = texts((await scene.slack.command(ADA, OPS, "connections remove notes"))["response"])
    assert "its server has revoked it" in said
    assert notes.revoked
    assert "is no server that people connect" in str(
        (await scene.slack.command(ADA, OPS, "connect other"))["response"]
    )


async def test_the_connections_of_who_is_deactivated_are_removed(
    scenario: Director, notes: Authority, browser: Browser, tmp_path: Path
) -> None:
    scene = await set_up(scenario, notes, tmp_path, asks_whose())
    await browser.connect(await link_of(scene, ADA))
    connections = scene.flagman.core.connections
    await scene.slack.person(id=GRACE, deleted=True)
    await scene.slack.person(id=ADA, real_name="Ada L.")
    assert await connections.of(f"slack:{ADA}"), "another change changes nothing"
    await scene.slack.person(id=ADA, deleted=True)

    async def gone() -> bool:
        return not await connections.of(f"slack:{ADA}")

    await wait_for(gone)
    await wait_for(lambda: notes.revoked)


async def test_a_key_serves_its_owner_alone_and_one_without_an_owner_is_refused(
    scenario: Director, notes: Authority, browser: Browser, tmp_path: Path
) -> None:
    keys = f"mine@{ADA}:launch+read+approve:{OWNED},ci:launch+read+approve:{UNOWNED}"
    scene = await set_up(scenario, notes, tmp_path, asks_whose(), api_keys=SecretStr(keys))
    url = scene.flagman.config.public_address
    async with Client(url, UNOWNED) as api:
        for refused in (api.get("/v1/connections"), api.post("/v1/connections/notes", None)):
            (await refused).problem(403, "not_allowed")
        session = await api.post("/v1/sessions", {"persona": "ops", "task": "ship it"})
        paused = await scene.flagman.session(lambda s: s.pause, session["id"])
        assert "it is not known for whom this session runs" in paused.halts[-1].detail
        assert paused.halts[-1].reason == "error_threshold_exceeded"
    async with Client(url, OWNED) as api:
        session = await api.post("/v1/sessions", {"persona": "ops", "task": "ship it"})
        waiting = await scene.flagman.session(lambda s: s.waiting_for == "connection_required", session["id"])
        assert [str(condition) for _, condition in waiting.waits] == ["connection: notes"]
        (await api.post("/v1/connections/other", None)).problem(422, "invalid_input")
        await browser.connect((await api.post("/v1/connections/notes", None))["url"])
        await scene.flagman.session(lambda s: s.calls_in("awaiting"), session["id"])
        (call,) = (await api.get(f"/v1/sessions/{session['id']}"))["calls"]
        assert call["runs_as"] == f"slack:{ADA}"
        (one,) = (await api.get("/v1/connections"))["connections"]
        assert (one["server"], one["scopes"], one["refused"]) == ("notes", "notes", "")
        assert not [token for token in notes.given if token in json.dumps(one)]
    async with Client(url, OWNED) as api:
        flagman = HttpBackend(url, OWNED)
        assert (await flagman.remove_connection("notes")).revoked
        assert (await flagman.connections()).connections == []


async def test_who_is_not_in_the_place_of_the_session_is_offered_it_directly(
    scenario: Director, notes: Authority, browser: Browser, tmp_path: Path
) -> None:
    keys = f"mine@{ADA}:launch+read+approve:{OWNED}"
    scene = await set_up(scenario, notes, tmp_path, asks_whose(), api_keys=SecretStr(keys))
    place = await scene.slack.channel("public", name="away", members=[GRACE, BOT])
    async with Client(scene.flagman.config.public_address, OWNED) as api:
        session = await api.post("/v1/sessions", {"persona": "ops", "task": "x", "channel": place})
    assert session.status == 201, session.body
    await scene.flagman.session(lambda s: s.waiting_for == "connection_required", session["id"])

    async def directly() -> Json | None:
        posts = [call["args"] for call in await scene.slack.calls("chat.postMessage")]
        return next((p for p in posts if p.get("channel") == ADA and "as you. Connect it" in p["text"]), None)

    assert "connect_begin" in str(await wait_for(directly))


async def test_a_server_that_asks_for_more_rights_waits_for_its_person(
    scenario: Director, notes: Authority, browser: Browser, tmp_path: Path
) -> None:
    scene = await set_up(scenario, notes, tmp_path, asks_whose())
    await browser.connect(await link_of(scene, ADA))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    notes.wants = "notes files"
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    paused = await scene.flagman.session(lambda s: s.waiting_for == "connection_required", session.id)
    assert "the server asks for more rights" in paused.halts[-1].detail
    assert notes.calls == []
    notes.wants = ""
    _, page = await browser.get(link := await link_of(scene, ADA))
    _, address = await browser.press(link, page)
    assert "scope=notes+files" in address


async def test_trying_again_looks_whether_it_is_connected(
    scenario: Director, notes: Authority, tmp_path: Path
) -> None:
    scene = await set_up(scenario, notes, tmp_path, asks_whose())
    session = await scene.launch()
    await scene.flagman.session(lambda s: s.waiting_for == "connection_required", session.id)
    notice = await wait_for(lambda: threaded(scene, session))
    assert (await scene.slack.click(ADA, OPS, notice["ts"], AGAIN))["ok"]
    again = await scene.flagman.session(lambda s: len(s.halts) == 2 and s.pause, session.id)
    assert again.waiting_for == "connection_required"


async def threaded(scene: Scene, session: Session) -> Json | None:
    return await notice_of(scene, await scene.card(session))
