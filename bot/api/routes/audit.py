"""Routes of the audit: decisions and refused attempts, and their summary."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from bot.api.parameters import AuditHeaders, AuditPageParameters, AuditParameters
from bot.api.routing import JSON, Answer, Call, Returns, Routes, masked_view
from bot.audit_formats import as_csv, as_json_lines, rows_of
from supervisor.contract.audit import AuditPage, AuditSummary

routes = Routes("Audit")
CSV, LINES = "text/csv", "application/x-ndjson"
_MEDIA = {"json": JSON, "jsonl": LINES, "csv": CSV}


@routes(
    "GET",
    "/v1/audit",
    scope="read",
    returns={200: Returns("The newest first.", AuditPage, media=(JSON, LINES, CSV))},
)
async def list_decisions(
    call: Call, query: AuditPageParameters, headers: AuditHeaders
) -> Answer | web.Response:
    """Read who decided what, by which right, and who was refused.

    A key with the scope `read_all` or `admin` reads all of it, another one that of the sessions that it sees. As CSV
    and JSON lines, the header `Link` has the next page, and `Flagman-Unreadable` the number of the logs that cannot
    be read, whose decisions are missing.
    """
    page = await call.audit.page(query)
    media = _MEDIA[query.format] if query.format else _asked_for(headers.accept)
    if media == JSON:
        return Answer(page)
    rows = [masked_view(row, call.core.mask) for row in rows_of(page)]
    text = as_csv(rows, header=query.cursor is None) if media == CSV else as_json_lines(rows)
    told = {"Flagman-Unreadable": str(page.lost)}
    if page.next:
        given = {**call.request.query, "cursor": page.next}
        told["Link"] = f'</v1/audit?{urlencode(given)}>; rel="next"'
    return web.Response(text=text, content_type=media, charset="utf-8", headers=told)


@routes(
    "GET",
    "/v1/audit/summary",
    scope="read",
    returns={200: Returns("The totals, and those of each tool and person.", AuditSummary)},
)
async def summarize_decisions(call: Call, query: AuditParameters) -> Answer:
    """Read how fast people decided, and how often within seconds without having opened the call.

    The last seven days, or from `since` on.
    """
    return Answer(await call.audit.summary(query))


def _asked_for(accept: str) -> str:
    return next((media for media in (JSON, LINES, CSV) if media in accept), JSON)
