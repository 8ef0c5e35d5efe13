"""The route by which `flagman doctor` asks a running Flagman about its store, which only that one can open."""

from __future__ import annotations

from bot.api.models import CheckStore, StoreFinding, StoreFindings
from bot.api.routing import Answer, Call, Returns, Routes
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
