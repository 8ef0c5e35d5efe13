"""A browser of a person: it keeps cookies, follows links of one page after the other, and presses the button."""

from __future__ import annotations

import re
from html import unescape
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

from aiohttp import ClientSession, CookieJar


class Browser:
    """`async with Browser() as browser:`; each has cookies of its own."""

    def __init__(self) -> None:
        self._session = ClientSession(cookie_jar=CookieJar(unsafe=True))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, url: str) -> tuple[int, str]:
        """Open an address, and follow no redirect. Returns the status, and the page or where it leads."""
        async with self._session.get(url, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location") or await answer.text()

    async def press(self, url: str, page: str) -> tuple[int, str]:
        """Press the button of a page. Returns as `get`."""
        action = re.search(r'<form method="post" action="([^"]+)"', page)
        link = re.search(r'name="link" value="([^"]+)"', page)
        assert action, page
        assert link, page
        target, form = urljoin(url, action[1]), {"link": unescape(link[1])}
        async with self._session.post(target, data=form, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location") or await answer.text()

    async def sign_in(self, link: str) -> str:
        """Go through the page of a link and the sign-in of the server. Returns the address of the way back."""
        status, page = await self.get(link)
        assert status == 200, page
        status, address = await self.press(link, page)
        assert status == 303, address
        status, back = await self.get(address)
        assert status == 302, back
        return back

    async def connect(self, link: str) -> str:
        """Follow a link to its end. Returns the last page."""
        status, page = await self.get(await self.sign_in(link))
        assert status == 200, page
        return page
