"""Protection against cross-site requests: other web sites must not press buttons in the playground."""

import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_foreign(request: web.Request, base_url: str, *, linkable: bool = False) -> bool:
    """Return whether another site sent this request, judged by `Host`, `Origin` and `Sec-Fetch-Site`.

    A `linkable` address may be opened from a link on another site.
    """
    host = request.headers.get("Host", "")
    known = urlsplit(base_url).hostname
    named = urlsplit(f"//{host}").hostname
    if named != known and not _is_loopback(named):
        return True
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return True
    return not linkable and request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")


def against_foreign(base_url: Callable[[], str], inner: Handler, *, linkable: bool = False) -> Handler:
    """Wrap a handler so that it answers requests from other sites with status 403."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if is_foreign(request, base_url(), linkable=linkable):
            body = {
                "ok": False,
                "error": "foreign_origin",
                "message": "Only the playground's own page may do this.",
            }
            return web.json_response(body, status=403)
        return await inner(request)

    return handler
