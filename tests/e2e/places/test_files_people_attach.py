"""Files that people attach reach the session's folder, under safe names and once; what does not is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.seed import SCOPES, Manifest
from handlers.projection.file_download import FileDownloads
from supervisor.core.commands.conversation import MOST_FILE_BYTES
from supervisor.core.errors import ToolError
from supervisor.core.records import Attached
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.runtime.given_files import GivenFiles, safe_name
from supervisor.runtime.work_dirs import WorkDirs
from tests.core.build import SID
from tests.core.build import launched as launch_event
from tests.support.scenario import Director, Scene
from tests.support.scripted import calls, in_turn, says, told
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, ADA_DM, BOT_TOKEN, GRACE, OPS, texts, wait_for

BOT = "<@U0FLAGMAN1>"
DONE = in_turn(says("Done."))
ASKS = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))


async def launched(scene: Scene) -> Session:
    found = await wait_for(lambda: recent_sessions(scene.flagman.core))
    return found[0]


def folder(scene: Scene, session: Session) -> Path:
    return scene.flagman.core.settings.workspace_folder / session.folder


@pytest.mark.parametrize(("channel", "mention"), [(OPS, f"{BOT} "), (ADA_DM, "")])
async def test_an_attached_file_is_in_the_folder(scenario: Director, channel: str, mention: str) -> None:
    scene = await scenario(DONE, default_persona="ops")
    file = await scene.slack.store(ADA, "usage.csv", b"host,free\na,3\n")
    await scene.slack.post(ADA, channel, f"{mention}read the table", files=[file])
    session = await scene.ended(await launched(scene))
    assert (folder(scene, session) / "attached/usage.csv").read_bytes() == b"host,free\na,3\n"
    assert session.artifacts == ("attached/usage.csv",)
    task, *rest = told(scene.model.requests[0])
    assert task == "read the table"
    assert "usage.csv (14 bytes)" in rest[0]
    assert "`attached/usage.csv` (14 bytes)" in rest[1]
    document = await scene.flagman.core.documents().text(session.id)
    assert "attached/usage.csv" in document
    assert "| attached |" in document
    log = await scene.slack.command(ADA, channel, f"files {session.id}")
    assert "attached/usage.csv" in texts(log["response"])


async def test_a_reply_brings_files_into_a_session_that_waits(scenario: Director) -> None:
    scene = await scenario(ASKS)
    session = await scene.waiting(await scene.launch())
    (ask,) = await scene.asked(session)
    files = [await scene.slack.store(GRACE, "a.txt", b"one"), await scene.slack.store(GRACE, "a.txt", b"two")]
    await scene.slack.post(GRACE, OPS, "", ask["thread_ts"], files=files)
    found = await scene.flagman.session(lambda s: len(s.attachments.taken) == 2, session.id)
    assert found.waiting_for == "human_approval_required"
    assert (folder(scene, found) / "attached/a.txt").read_bytes() == b"one"
    assert (folder(scene, found) / "attached/a-2.txt").read_bytes() == b"two"
    (heard,) = await scene.whispers(GRACE, thread_ts=ask["thread_ts"])
    assert "2 files went along" in heard["text"]


async def test_what_is_not_taken_is_told(scenario: Director) -> None:
    scene = await scenario(DONE, default_persona="ops")
    scopes = SCOPES - {"files:read"}
    scene.slack.playground.workspace.manifest = Manifest(scopes=frozenset(scopes))
    file = await scene.slack.store(ADA, "usage.csv", b"1")
    posted = await scene.slack.post(ADA, OPS, f"{BOT} read it", files=[file])
    session = await scene.ended(await launched(scene))
    assert session.artifacts == ()
    notice = await scene.slack.message(OPS, lambda m: "Not taken along" in texts(m), posted["ts"])
    assert f"<@{ADA}> Not taken along: usage.csv: Flagman's app needs the scope" in texts(notice)
    assert "needs the scope" in told(scene.model.requests[0])[-1]


async def test_too_large_and_too_many_are_told_at_once(scenario: Director) -> None:
    scene = await scenario(DONE, default_persona="ops")
    large = await scene.slack.store(ADA, "big.iso", b"x" * (MOST_FILE_BYTES + 1))
    small = [await scene.slack.store(ADA, f"{number}.txt", b"x") for number in range(11)]
    posted = await scene.slack.post(ADA, OPS, f"{BOT} read them", files=[large, *small])
    heard = await scene.slack.message(OPS, lambda m: m.get("ephemeral") and "Started" in texts(m))
    assert posted["files"]
    for part in ("big.iso is not taken along", "Of one message 10 files are taken along; not 10.txt"):
        assert part in texts(heard)
    assert len((await scene.ended(await launched(scene))).artifacts) == 10


async def test_slack_in_trouble_delays_a_file_and_no_more(scenario: Director) -> None:
    scene = await scenario(DONE, default_persona="ops")
    file = await scene.slack.store(ADA, "usage.csv", b"1")
    await scene.slack.fault("files.info", status=503, times=1)
    await scene.slack.post(ADA, OPS, f"{BOT} read it", files=[file])
    assert (await scene.ended(await launched(scene))).artifacts == ("attached/usage.csv",)


async def test_a_worker_that_dies_before_it_records_a_file_leaves_one(scenario: Director) -> None:
    scene = await scenario(DONE, default_persona="ops", hands=0)
    file = await scene.slack.store(ADA, "usage.csv", b"1")
    await scene.slack.post(ADA, OPS, f"{BOT} read it", files=[file])
    session = await launched(scene)
    client = AsyncWebClient(BOT_TOKEN, base_url=scene.slack.api_url)
    dying = GivenFiles(WorkDirs(scene.flagman.core.settings.workspace_folder), FileDownloads(client).fetch)
    await dying.take(session)
    await scene.flagman.add_worker()
    assert (await scene.ended(session)).artifacts == ("attached/usage.csv",)
    assert os.listdir(folder(scene, session) / "attached") == ["usage.csv"]


def given(*files: Attached) -> Session:
    session = fold(SID, [launch_event()])
    return session.model_copy(
        update={"attachments": session.attachments.model_copy(update={"awaited": files})}
    )


def one(name: str, source: str = "F1") -> Attached:
    return Attached(by="slack:U1", source=source, name=name, size=1)


async def content(source: str, most: int) -> bytes:
    return source.encode()


async def test_taken_again_after_a_crash_it_is_one_file(tmp_path: Path) -> None:
    files = GivenFiles(WorkDirs(tmp_path), content)
    session = given(one("a.txt"))
    first, _ = await files.take(session)
    second, _ = await files.take(session)
    assert first == second
    assert os.listdir(tmp_path / session.folder / "attached") == ["a.txt"]


async def test_no_link_is_followed_and_nothing_replaced(tmp_path: Path) -> None:
    files, session = GivenFiles(WorkDirs(tmp_path), content), given(one("a.txt"))
    place = tmp_path / session.folder / "attached"
    place.mkdir(parents=True)
    (tmp_path / "outside").write_text("kept")
    (place / "a.txt").symlink_to(tmp_path / "outside")
    (place / "a-2.txt").write_text("of the agent")
    (taken,), _ = await files.take(session)
    assert taken.path == "attached/a-3.txt"
    assert (tmp_path / "outside").read_text() == "kept"
    assert (place / "a-2.txt").read_text() == "of the agent"


async def test_a_folder_that_is_a_link_takes_nothing(tmp_path: Path) -> None:
    files, session = GivenFiles(WorkDirs(tmp_path), content), given(one("a.txt"))
    (tmp_path / session.folder).mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / session.folder / "attached").symlink_to(tmp_path / "elsewhere")
    taken, (lost,) = await files.take(session)
    assert taken == []
    assert "link" in lost.problem
    assert os.listdir(tmp_path / "elsewhere") == []


async def test_one_that_fails_keeps_no_other_back(tmp_path: Path) -> None:
    async def fetch(source: str, most: int) -> bytes:
        if source == "F1":
            raise ToolError("it is gone")
        return b"x"

    taken, (lost,) = await GivenFiles(WorkDirs(tmp_path), fetch).take(given(one("a"), one("b", "F2")))
    assert [file.path for file in taken] == ["attached/b"]
    assert (lost.name, lost.problem) == ("a", "it is gone")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.csv", "report.csv"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/etc/passwd", "passwd"),
        ("..", "file"),
        (".bashrc", "bashrc"),
        ("a\x00b\n.txt", None),
        ("\u202egpj.exe", None),
        ("$(rm -rf x); ls.txt", None),
        ("x" * 300 + ".txt", "x" * 96 + ".txt"),
        ("", "file"),
        ("Bericht für März.pdf", "Bericht für März.pdf"),
    ],
)
def test_names_are_safe(name: str, safe: str | None) -> None:
    found = safe_name(name)
    assert safe is None or found == safe
    assert 1 <= len(found) <= 100
    assert not set(found) & set("/\\\0\n$;`'\"|&<>*?\u202e")
    assert not found.startswith(".")


@pytest.mark.parametrize(
    "name", ["報" * 95 + ".pdf", "報" * 300, "../../etc/passwd", "..", "", "x" * 400 + ".md"]
)
def test_a_name_is_one_that_a_file_system_takes(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe.encode()) <= 200
    assert "/" not in safe
    assert safe.strip(".")
