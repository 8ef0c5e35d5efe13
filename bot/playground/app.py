"""The web application of a playground: the Web API, websockets, the control API and the page."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from bot.playground import web_api
from bot.playground.control.routes import Control
from bot.playground.errors import SlackError
from bot.playground.guard import against_foreign
from bot.playground.methods import files
from bot.playground.playground import Playground

STATIC = Path(__file__).parent / "static"
BODY_BYTES = 4 * 1024 * 1024
PAGE_HEADERS = {
    # The page must not be framed, because a click on it can be an approval.
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount(app: web.Application, playground: Playground) -> None:
    """Add all routes of the playground to `app`, and close the playground when `app` shuts down."""

    async def api(request: web.Request) -> web.StreamResponse:
        return await web_api.handle(playground, request)

    async def upload(request: web.Request) -> web.StreamResponse:
        return await files.receive(playground, request)

    async def respond(request: web.Request) -> web.StreamResponse:
        try:
            playground.responses.use(request.match_info["name"], await request.text())
        except SlackError as refusal:
            status = 404 if refusal.code in ("expired_url", "used_url") else 400
            return web.json_response(refusal.answer(), status=status)
        return web.Response(text="ok")

    async def shut(_: web.Application) -> None:
        await playground.disconnect()

    async def close(_: web.Application) -> None:
        await playground.close()

    def add(method: str, path: str, handler: Handler, *, linkable: bool = False) -> None:
        guarded = against_foreign(lambda: playground.base_url, handler, linkable=linkable)
        app.router.add_route(method, path, guarded)

    add("*", "/api/{method}", api)
    add("GET", "/link", playground.delivery.sockets.handle)
    add("POST", "/upload/v1/{token}", upload)
    add("POST", "/response/{name:.+}", respond)
    for method, path, handler in Control(playground).routes():
        add(method, path, handler)
    for path in ("/", "/playground", "/playground/static/{name:.+}", "/archives/{name:.+}"):
        add("GET", path, _page, linkable=True)
    app.on_shutdown.append(shut)
    app.on_cleanup.append(close)


async def _page(request: web.Request) -> web.StreamResponse:
    """Return the page or one of its files; a permalink returns the page, whose script opens the message."""
    name = request.match_info.get("name", "") if "/static/" in request.path else "index.html"
    file = (STATIC / name).resolve()
    if not file.is_relative_to(STATIC) or not file.is_file():
        raise web.HTTPNotFound(text="not found")
    return web.FileResponse(file, headers=PAGE_HEADERS)


async def start(playground: Playground, host: str = "127.0.0.1", port: int = 0) -> web.AppRunner:
    """Serve the playground on `host`; port 0 picks a free port and updates `playground.base_url`.

    Stop it with `cleanup()` of the runner returned.
    """
    app = web.Application(client_max_size=BODY_BYTES)
    mount(app, playground)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    bound = runner.addresses[0][1]
    if port == 0:
        name = f"[{host}]" if ":" in host else host
        playground.base_url = f"http://{name}:{bound}"
    log.info("Playground on %s", playground.base_url)
    return runner
