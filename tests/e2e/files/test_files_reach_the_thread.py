"""`files`: what a session has written is listed, and posted into its thread without secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from supervisor.core.state import Session
from tests.support.scenario import Director, Scene, live_markup
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, OPS, RANDOM, Json, buttons, texts, wait_for

ALLOWED = {"approvals": [{"tool": "*", "mode": "allow"}]}
TOKEN = "xoxb-1234567890-abcdefghij"


def writing(**files: str) -> Any:
    written = [("write_file", {"path": path, "content": content}) for path, content in files.items()]
    return in_turn(calls(*written), says("Done."))


async def written(scenario: Director, **files: str) -> tuple[Scene, Session, Path]:
    """The scene, the session that has written the files and ended, and its folder."""
    scene = await scenario(writing(**files), persona=ALLOWED)
    session = await scene.launch()
    ended = await scene.ended(session)
    # Its SESSION_LOG comes by itself.
    await wait_for(lambda: scene.slack.calls("files.completeUploadExternal"))
    return scene, ended, scene.flagman.config.workspace_folder / session.id


async def said(scene: Scene, text: str, channel: str = OPS) -> str:
    answer = await scene.slack.command(ADA, channel, text)
    return json.dumps(answer["response"], ensure_ascii=False)


def asked_for(message: Json) -> bool:
    """Whether it is a message with a file that somebody asked for."""
    return bool(message.get("files")) and "SESSION_LOG" not in message["files"][0]["name"]


async def posted(scene: Scene, session: Session) -> Json:
    """The message with a file in the session's thread."""
    card = await scene.card(session)
    return await scene.slack.message(OPS, asked_for, card["ts"])


async def uploads(scene: Scene) -> list[Json]:
    """Calls that shared a file that somebody asked for."""
    return [c for c in await scene.slack.calls("files.completeUploadExternal") if "SESSION_LOG" not in str(c)]


async def content(scene: Scene, message: Json) -> bytes:
    async with scene.slack.session.get(message["files"][0]["url_private"]) as answer:
        return await answer.read()


async def test_the_card_names_the_newest_and_counts_the_others(scenario: Director) -> None:
    names = {f"part-{n}.md": "x" for n in range(7)}
    scene, session, _ = await written(scenario, **names)
    newest = "Files written: part-6.md, part-5.md, part-4.md, part-3.md, part-2.md and 2 more"
    await scene.slack.message(OPS, lambda m: newest in texts(m))
    listed = await said(scene, f"files {session.id}")
    assert all(f"{name}   1 byte" in listed for name in names)


async def test_a_file_is_posted_into_the_thread(scenario: Director) -> None:
    scene, session, _ = await written(scenario, **{"out/report.md": "# All is *well*\n"})
    answer = await said(scene, f"files {session.id} out/report.md", RANDOM)
    assert f"is posted into the thread of `{session.id}` in <#{OPS}>" in answer
    message = await posted(scene, session)
    assert message["files"][0]["name"] == "report.md"
    assert f"asked for by <@{ADA}>" in message["text"]
    assert "masked" not in message["text"]
    assert await content(scene, message) == b"# All is *well*\n"
    assert await scene.refused() == []


async def test_a_mention_in_the_thread_does_the_same(scenario: Director) -> None:
    scene, session, _ = await written(scenario, **{"report.md": "well"})
    card = await scene.card(session)
    await scene.slack.post(GRACE, OPS, "<@U0FLAGMAN1> files", card["ts"])
    await scene.slack.message(OPS, lambda m: "report.md   4 bytes" in json.dumps(m), card["ts"], user=GRACE)
    await scene.slack.post(GRACE, OPS, "<@U0FLAGMAN1> files report.md", card["ts"])
    assert await content(scene, await posted(scene, session)) == b"well"
    await scene.slack.redeliver()
    rows = await scene.slack.messages(OPS, card["ts"])
    assert len([row for row in rows if asked_for(row)]) == 1


async def test_secrets_in_a_text_are_masked(scenario: Director) -> None:
    scene, session, folder = await written(scenario, **{"report.md": "to be replaced"})
    # The log never keeps a secret, but a command may have written one.
    (folder / "report.md").write_text(f"the token is {TOKEN}, ä\n")
    await said(scene, f"files {session.id} report.md")
    message = await posted(scene, session)
    assert await content(scene, message) == "the token is [masked], ä\n".encode()
    assert "secrets in it are masked" in message["text"]


@pytest.mark.parametrize(
    "held",
    [b"\xff\xfe\x00" + TOKEN.encode() + b"\x00", TOKEN.encode("utf-16"), TOKEN.encode("utf-16-be")],
)
async def test_a_secret_in_what_is_no_text_keeps_it_here(scenario: Director, held: bytes) -> None:
    scene, session, folder = await written(scenario, **{"dump.bin": "x"})
    (folder / "dump.bin").write_bytes(held)
    assert "is no text and holds a secret" in await said(scene, f"files {session.id} dump.bin")
    assert not await uploads(scene)


async def test_bytes_arrive_as_they_are(scenario: Director) -> None:
    scene, session, folder = await written(scenario, **{"picture.png": "x"})
    (folder / "picture.png").write_bytes(bytes(range(256)) * 50)
    await said(scene, f"files {session.id} picture.png")
    assert await content(scene, await posted(scene, session)) == bytes(range(256)) * 50


async def test_what_cannot_be_posted_is_said_in_words(scenario: Director) -> None:
    files = {"report.md": "x", "gone.md": "x", "empty.md": "", "huge.bin": "x", "link.md": "x"}
    scene, session, folder = await written(scenario, **files)
    (folder / "gone.md").unlink()
    (folder / "link.md").unlink()
    (folder / "link.md").symlink_to("/etc/passwd")
    (folder / "secret.txt").write_text("not listed")
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(10 * 1024 * 1024 + 1)
    listed = await said(scene, f"files {session.id}")
    assert "gone.md   not on this machine" in listed
    assert "secret.txt" not in listed
    for path, expected in (
        ("gone.md", "is not on this machine any more"),
        ("link.md", "is not on this machine any more"),
        ("empty.md", "is empty, so there is nothing to post"),
        ("huge.bin", "is larger than 10 MiB"),
        ("secret.txt", "has written no file"),
        ("../../etc/passwd", "has written no file"),
        ("/etc/passwd", "has written no file"),
        ("<!channel>", "has written no file"),
    ):
        answer = await said(scene, f"files {session.id} {path}")
        assert expected in answer
        assert "<!channel>" not in answer
    assert "Which session?" in await said(scene, "files")
    assert "There is no session" in await said(scene, "files abcd-0000 report.md")
    assert not await uploads(scene)


async def test_a_session_without_files_says_so(scenario: Director) -> None:
    scene, session, _ = await written(scenario)
    assert "has written no files" in await said(scene, f"files {session.id}")
    assert "It has written none." in await said(scene, f"files {session.id} report.md")


async def test_hostile_names_stay_names(scenario: Director) -> None:
    name = "<!channel> <@U0GRACE01> *b* `c` \u202e.md"
    scene, session, _ = await written(scenario, **{name: "x"})
    listed = await said(scene, f"files {session.id}")
    assert "\u202e" not in listed
    card = await scene.slack.message(OPS, lambda m: "session_log" in buttons(m))
    assert live_markup(card) <= {f"<@{ADA}>"}
    artifact = session.artifacts[0]
    await scene.slack.command(ADA, OPS, f"files {session.id} {artifact}")
    await wait_for(lambda: uploads(scene))
    message = await posted(scene, session)
    assert live_markup(message) <= {f"<@{ADA}>"}
    assert "\u202e" not in json.dumps(message, ensure_ascii=False)


async def test_the_same_command_twice_posts_once(scenario: Director) -> None:
    scene, session, _ = await written(scenario, **{"report.md": "well"})
    payload = {
        "command": "/agent",
        "text": f"files {session.id} report.md",
        "user_id": ADA,
        "user_name": "ada",
        "channel_id": OPS,
        "team_id": "T0PLAYGRD1",
        "trigger_id": "1.2.3",
        "response_url": f"{scene.slack.url}/none",
    }
    for _ in range(2):
        assert (await scene.slack.send("deliver", {"type": "slash_commands", "payload": payload}))["ok"]
    await posted(scene, session)
    assert len(await uploads(scene)) == 1


async def test_slack_that_is_slow_or_refuses_is_told_about(scenario: Director) -> None:
    scene, session, _ = await written(scenario, **{"report.md": "well"})
    await scene.slack.fault("files.completeUploadExternal", error="missing_scope", times=1)
    assert "needs the scope `files:write`" in await said(scene, f"files {session.id} report.md")
    await scene.slack.fault("files.getUploadURLExternal", delay_s=2, times=1)
    assert "is being posted into the thread" in await said(scene, f"files {session.id} report.md")
    assert await content(scene, await posted(scene, session)) == b"well"
    await scene.slack.fault("files.getUploadURLExternal", delay_s=2, error="fatal_error", times=1)
    assert "is being posted into the thread" in await said(scene, f"files {session.id} report.md")
    await scene.slack.message(OPS, lambda m: "does not take `report.md`: please" in m["text"])
