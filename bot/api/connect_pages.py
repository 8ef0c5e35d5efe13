"""The pages at which a person connects a server: what the link is for, and how it ended.

They are plain HTML without scripts. A link alone changes nothing, since programs open links, too: the person presses a
button, and that works only in the browser that opened the page.
"""

from __future__ import annotations

import asyncio
import logging
from html import escape
from urllib.parse import parse_qs

from aiohttp import ClientPayloadError, web

from bot.compose import Core
from storage.errors import StorageError
from supervisor.connections.linking import CALLBACK, LIFETIME, START, Step
from supervisor.contract.connections import Finished, finish
from supervisor.contract.parts import ServiceParts
from supervisor.core.errors import FlagmanError, InvalidInput
from supervisor.core.text.format import count
from supervisor.core.text.visible import one_line

# What is read of a form, in how many seconds.
MOST_BYTES, MOST_FIELDS, BODY_SECONDS = 16 * 1024, 10, 10.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;"
    "padding:0 1.5rem}h1{font-size:1.35rem}button{font:inherit;padding:.5rem 1rem;cursor:pointer}"
)
_log = logging.getLogger("flagman.connections")


class ConnectPages:
    """The routes of the pages; `services` does what they say."""

    def __init__(self, core: Core, services: ServiceParts) -> None:
        self._core, self._services = core, services

    def mount(self, app: web.Application) -> None:
        app.router.add_get(START, self.open, allow_head=False)
        app.router.add_post(START, self.begin)
        app.router.add_get(CALLBACK, self.come_back, allow_head=False)

    async def open(self, request: web.Request) -> web.Response:
        """Show what a link is for."""
        try:
            begun, step = await self._services.linking.open(request.query.get("link", ""))
        except (FlagmanError, StorageError) as error:
            return self._refused(error)
        server, name = escape(begun.server), escape(_shown(begun.name, begun.person))
        answer = _page(
            f"Connect {server}",
            f"<p>Flagman will use <b>{server}</b> as you, in the agents that <b>{name}</b> launches. Each risky "
            "action still needs an approval.</p>"
            f"<p>Continue only if you are <b>{name}</b> and asked for this link yourself.</p>"
            f'<form method="post" action="{escape(START)}">'
            f'<input type="hidden" name="link" value="{escape(request.query.get("link", ""))}">'
            f"<button>Continue as {name}</button></form>",
            # The button leads on to the sign-in of the server, wherever that is.
            form="form-action 'self' https: http:",
        )
        self._keep(answer, step)
        return answer

    async def begin(self, request: web.Request) -> web.Response:
        """Use the link up, and lead to the sign-in of the server."""
        try:
            step = await self._services.linking.begin(await _link_in(request), request.cookies)
        except (FlagmanError, StorageError) as error:
            return self._refused(error)
        answer = web.Response(status=303, headers={**_HEADERS, "Location": step.address})
        self._keep(answer, step)
        return answer

    async def come_back(self, request: web.Request) -> web.Response:
        """Take the person who comes back from the sign-in, and say how it ended, here and privately."""
        try:
            done = await finish(self._services, request.query, request.cookies)
        except (FlagmanError, StorageError) as error:
            return self._refused(error)
        await self._core.announcements().connected(done)
        return _page(f"{escape(done.connection.server)} is connected", _ended(done))

    def _keep(self, answer: web.Response, step: Step) -> None:
        answer.set_cookie(
            step.cookie_name,
            step.cookie,
            max_age=int(LIFETIME.total_seconds()),
            path="/",
            httponly=True,
            secure=self._services.linking.is_https,
            samesite="Lax",
        )

    def _refused(self, error: FlagmanError | StorageError) -> web.Response:
        if isinstance(error, StorageError):
            _log.error("a page could not be shown: %s", error)
            return _page("Not connected", "<p>Flagman cannot reach its store right now. Try again.</p>", 503)
        words = escape(one_line(self._core.mask(str(error)), 400))
        return _page(
            "Nothing was connected", f"<p>{words}</p><p>Nothing was changed.</p>", 503 if error.fault else 400
        )


async def _link_in(request: web.Request) -> str:
    """Return the link in what the page of a link sends. Raises InvalidInput for anything else."""
    refused = InvalidInput("This is no answer of the page of a link. Open the link again.")
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.content.iter_any():
                body += part
                if len(body) > MOST_BYTES:
                    raise refused
        form = parse_qs(body.decode("ascii"), max_num_fields=MOST_FIELDS)
    except (ValueError, TimeoutError, ClientPayloadError):
        raise refused from None
    return next(iter(form.get("link", ())), "")


def _ended(done: Finished) -> str:
    account = escape(one_line(done.connection.account, 80))
    name, server = escape(_shown(done.name, done.person)), escape(done.connection.server)
    as_whom = f" as <b>{account}</b>" if account else ""
    goes_on = f"<p>{count(len(done.resumed), 'session')} resumed.</p>" if done.resumed else ""
    return f"<p><b>{name}</b> has connected <b>{server}</b>{as_whom}.</p>{goes_on}<p>You can close this page.</p>"


def _shown(name: str, person: str) -> str:
    return one_line(name, 60) or one_line(person.rpartition(":")[2], 60)


def _page(title: str, body: str, status: int = 200, form: str = "form-action 'none'") -> web.Response:
    """Return a page; title and body are HTML."""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title} · Flagman</title><style>{_STYLE}</style><h1>{title}</h1>{body}</html>"
    )
    headers = {**_HEADERS, "Content-Security-Policy": f"{_POLICY}; {form}"}
    return web.Response(text=text, content_type="text/html", charset="utf-8", status=status, headers=headers)
