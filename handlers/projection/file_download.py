"""Downloads files that people attached to messages in Slack, with the bot's token."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.users import UNREACHABLE, code_of
from supervisor.core.errors import ToolError

SECONDS, PIECE = 45.0, 64 * 1024
_WHY = {
    "file_not_found": "it is not in Slack any more, or Flagman may not see it",
    "file_deleted": "it is not in Slack any more",
    "missing_scope": "Flagman's app needs the scope `files:read`; ask who installed it",
    "not_allowed_token_type": "Flagman's app needs the scope `files:read`; ask who installed it",
    "access_denied": "Flagman may not see it",
    "team_access_not_granted": "Flagman may not see files of that workspace",
}
_log = logging.getLogger("flagman.files")


class FileDownloads:
    """Reads files by their ids in Slack. The bot's token is sent to the host of the Web API and its `files.` alone."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def fetch(self, source: str, most: int) -> bytes:
        """Return the content of a file, at most `most` bytes.

        Raises ToolError with the reason where it cannot be had, and OSError where Slack may have it later.
        """
        about = await self._about(source)
        if about.get("mode") in ("tombstone", "hidden_by_limit") or about.get("is_external"):
            raise ToolError("Slack does not have its content")
        size = int(about.get("size") or 0)
        if size > most:
            raise ToolError(f"it has {size:,} bytes, and {most:,} is the most")
        url = str(about.get("url_private_download") or about.get("url_private") or "")
        return await self._read(url, most, html=str(about.get("mimetype")).startswith("text/html"))

    async def _about(self, source: str) -> dict[str, Any]:
        try:
            answer: Any = await self._client.files_info(file=source)
        except SlackApiError as error:
            code = code_of(error)
            if code in _WHY:
                raise ToolError(_WHY[code]) from error
            raise OSError(f"files.info: {code or error!r}") from error
        except UNREACHABLE as error:
            raise OSError(f"files.info: {error!r}") from error
        return dict(answer["file"])

    async def _read(self, url: str, most: int, *, html: bool) -> bytes:
        address, api = urlsplit(url), urlsplit(self._client.base_url)
        own = (api.hostname, f"files.{api.hostname}")
        if address.scheme != api.scheme or address.hostname not in own:
            raise ToolError("Slack names an address that is not its own")
        headers = {"Authorization": f"Bearer {self._client.token}"}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
                session.get(url, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status >= 500 or answer.status == 429:
                    raise OSError(f"status {answer.status}")
                # Slack shows a page for signing in where the token may not read the file.
                if answer.status != 200 or (answer.content_type == "text/html" and not html):
                    raise ToolError(_WHY["missing_scope"] if answer.status != 404 else _WHY["file_not_found"])
                content = bytearray()
                async for piece in answer.content.iter_chunked(PIECE):
                    content += piece
                    if len(content) > most:
                        raise ToolError(f"it has more than {most:,} bytes, which is the most")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OSError(repr(error)) from error
        return bytes(content)
