"""The routes by which `flagman doctor` and `flagman gc` reach the store of a running Flagman."""

from __future__ import annotations

from bot.api.models import CheckStore, Collect, Collection, StoreFinding, StoreFindings
from bot.api.routing import Answer, Call, Returns, Routes
from bot.retention import collect
from bot.store_check import check_store

routes = Routes("Operation")


@routes("POST", "/v1/store/check", scope="admin", returns={200: Returns("How the store is.", StoreFindings)})
async def check(call: Call, body: CheckStore) -> Answer:
    """Check the store, and try sessions again on request that could not go on."""
    kind = "embedded, in use by a running Flagman" if call.core.server else ""
    replicas = call.core.settings.replicas
    checks = check_store(call.core.redis, kind, unpark=body.unpark, replicas=replicas)
    found = [finding async for finding in checks]
    return Answer(StoreFindings(findings=[StoreFinding(**finding.row()) for finding in found]))


@routes("POST", "/v1/store/collect", scope="admin", returns={200: Returns("What was archived.", Collection)})
async def collect_ended(call: Call, body: Collect) -> Answer:
    """Archive some of the sessions that ended long ago, and take them out of the store."""
    found = await collect(call.core, body.older_than, body.cursor, dry_run=body.dry_run)
    return Answer(Collection(archived=found.archived, kept=found.kept, next=found.next))
