"""Lists the files of a session, and posts one of them into its thread in Slack."""

from __future__ import annotations

import asyncio
import logging
from pathlib import PurePosixPath

from slack_sdk.web.async_client import AsyncWebClient

from handlers.blocks.text import escape, person
from handlers.middleware import refusal
from handlers.origin import Place
from handlers.private_answers import answer_privately
from handlers.projection.message_rows import Row
from handlers.projection.refusals import MessageDeleted, RetryLater, SlackRejected
from handlers.projection.slack_client import SlackSender
from handlers.team_ids import bare
from storage.projections import ProjectionStore
from supervisor.artifacts import Artifact, Artifacts
from supervisor.core.errors import FlagmanError, InvalidInput
from supervisor.core.events import Actor
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line, visible

# Seconds to wait for an upload, since Slack wants an answer within three; slower ones continue afterwards.
PATIENCE = 1.2
_log = logging.getLogger("flagman.files")
_WHY = {
    "missing_scope": "Flagman's app needs the scope `files:write` for that.",
    "not_in_channel": "Flagman is not in that channel; invite it first.",
    "is_archived": "that channel is archived.",
    "thread_not_found": "the thread is gone.",
    "channel_not_found": "Flagman cannot see that channel; invite it first.",
    "file_uploads_disabled": "file uploads are switched off in this workspace; ask its admins.",
    "file_uploads_except_images_disabled": "this workspace takes images only; ask its admins.",
    "storage_limit_reached": "this workspace has no room left for files.",
    "blocked_file_type": "this workspace does not take files of that type.",
    "ekm_access_denied": "this workspace's keys are withdrawn at the moment; try again later.",
    "restricted_action": "this workspace does not let Flagman post files there.",
    "posting_to_channel_denied": "this workspace does not let Flagman post files there.",
    "slack_connect_file_upload_sharing_blocked": "this workspace shares no files with other organisations.",
    "slack_connect_blocked_file_type": "this workspace shares no files of that type with other organisations.",
    "file_upload_size_restricted": "it is larger than this workspace allows.",
}


class UploadRefused(FlagmanError):
    """A rejection of a file by Slack; the message has the reason, if Slack gives one."""

    code = "upload_refused"


class FileUploads:
    """Listing and posting of files; an upload that takes longer than the acknowledgement continues in a task."""

    def __init__(
        self,
        client: AsyncWebClient,
        artifacts: Artifacts,
        rows: ProjectionStore,
        mask: Masker,
        team: str = "",
    ) -> None:
        self._client, self._artifacts, self._rows, self._mask = client, artifacts, rows, mask
        self._sender = SlackSender(client, rows, team)
        self._uploads: set[asyncio.Task[None]] = set()

    async def list(self, session: Session) -> list[Artifact]:
        """Return the files that the session wrote, the oldest first."""
        return await asyncio.to_thread(self._artifacts.list, session)

    async def post(self, session: Session, path: str, actor: Actor, asked_in: Place) -> tuple[Place, bool]:
        """Post a file. Returns its place, and whether it is already there.

        If it is not, the upload continues, and the person who asked for it is told if it fails.

        The file goes into the session's thread, or to `asked_in` if there is none. Raises ArtifactNotFound,
        ArtifactTooLarge, InvalidInput or UploadRefused.
        """
        found = await self._artifacts.read(session, path)
        content, masked = await asyncio.to_thread(self._presentable, path, found)
        place = await self._thread(session) or asked_in
        comment = (
            f":page_facing_up: {escape(one_line(self._mask(path), 200))} of `{session.id}`, asked for by "
        )
        comment += person(actor.id, actor.name) + (" · secrets in it are masked" if masked else "")
        task = asyncio.create_task(self._upload(place, path, content, comment))
        self._uploads.add(task)
        task.add_done_callback(self._uploads.discard)
        await asyncio.wait({task}, timeout=PATIENCE)
        if task.done():
            await task
            return place, True
        telling = asyncio.create_task(self._tell_if_refused(task, actor, asked_in))
        self._uploads.add(telling)
        telling.add_done_callback(self._uploads.discard)
        return place, False

    def _presentable(self, path: str, content: bytes) -> tuple[bytes, bool]:
        """Return the content without secrets, and whether there were any. Raises InvalidInput."""
        if not content:
            raise InvalidInput(f"`{visible(path)}` is empty, so there is nothing to post.")
        text = _text(content)
        if text is not None:
            shown = self._mask(text)
            return shown.encode(), shown != text
        # Masking would break a binary file, so one with a secret is refused; wide characters have zeros in between.
        for seen in (content, content.replace(b"\0", b"")):
            if self._mask(seen.decode("latin-1")) != seen.decode("latin-1"):
                raise InvalidInput(f"`{visible(path)}` is no text and holds a secret, so it is not posted.")
        return content, False

    async def _thread(self, session: Session) -> Place | None:
        """Return the thread of the session's card, or of the card of its root session."""
        for session_id in dict.fromkeys((session.id, session.root)):
            found = (await self._rows.rows(session_id)).get("card")
            row = Row.model_validate_json(found) if found else None
            if row and row.ts and not row.gone:
                return Place(row.channel, thread_ts=row.thread_ts or row.ts)
        return None

    async def _upload(self, place: Place, path: str, content: bytes, comment: str) -> None:
        """Upload a file. Raises UploadRefused."""
        name = one_line(self._mask(PurePosixPath(path).name), 200)
        try:
            await self._sender.upload(place.channel, place.thread_ts, name, content, comment=comment)
        except (RetryLater, MessageDeleted, SlackRejected) as problem:
            _log.error("%s was not uploaded: %s", path, problem)
            again = "please try again in a moment."
            unknown = f"its reason is `{problem}`." if isinstance(problem, SlackRejected) else again
            why = _WHY.get(str(problem), unknown)
            raise UploadRefused(f"Slack does not take `{visible(name)}`: {why}") from problem

    async def _tell_if_refused(self, upload: asyncio.Task[None], actor: Actor, place: Place) -> None:
        try:
            await upload
        except UploadRefused as refused:
            where = {
                "channel": place.channel,
                "thread_ts": place.thread_ts,
                "user": bare(actor.id),
            }
            await answer_privately({"event": where}, self._client, refusal(visible(str(refused))))


def _text(content: bytes) -> str | None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
