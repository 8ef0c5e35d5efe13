"""Routes of the files that a session wrote."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from bot.api.parameters import OfArtifact, OfSession
from bot.api.routing import Answer, Call, Returns, Routes
from supervisor.contract.models import ArtifactList

routes = Routes("Sessions")
BYTES = "application/octet-stream"


@routes(
    "GET",
    "/v1/sessions/{id}/artifacts",
    scope="read",
    returns={200: Returns("In the order of their last writing.", ArtifactList)},
    problems={404},
)
async def list_artifacts(call: Call, path: OfSession) -> Answer:
    """List the files that a session wrote."""
    return Answer(ArtifactList(artifacts=await call.sessions.artifacts(path.id)))


@routes(
    "GET",
    "/v1/sessions/{id}/artifacts/{path}",
    scope="read",
    returns={200: Returns("The file as it is.", media=(BYTES,), headers=("Content-Disposition",))},
    problems={404, 413},
)
async def read_artifact(call: Call, path: OfArtifact) -> web.Response:
    """Read a file that a session wrote."""
    content = await call.sessions.artifact(path.id, path.path)
    name = quote(path.path.rstrip("/").rpartition("/")[2], safe="")
    # A browser must not show a file of an agent as a page of Flagman.
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return web.Response(body=content, headers=headers, content_type=BYTES)
