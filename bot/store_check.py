"""What can be wrong with the store, and how to repair it; `flagman doctor` shows it, as does a running Flagman."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

from storage import keys
from storage.clients.cluster import ClusterRedis
from storage.clients.permissions import missing_permissions
from storage.clients.replicas import Replicas
from storage.connection import reaching_store
from storage.health import health
from storage.queue import SessionQueue
from storage.rows import RowStore

SKEW_NOTED, SKEW_WRONG = timedelta(seconds=2), timedelta(seconds=60)
State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """The result of one check, and how to repair it. The state `note` is not an error."""

    what: str
    state: State
    found: str
    mend: str = ""

    def row(self) -> dict[str, str]:
        return asdict(self)


async def check_store(
    redis: Any, kind: str, *, unpark: bool = False, replicas: Replicas | None = None
) -> AsyncIterator[Finding]:
    """Run all checks of the store; `kind` describes it, and `unpark` queues jobs again that could not be done.

    `replicas` are those for which each append waits.
    """
    if (finding := await _permissions(redis)).state != "ok":
        yield finding
        return
    async for finding in _health(redis, kind, replicas):
        yield finding
    async for finding in _troubles(redis, unpark):
        yield finding
    async for finding in _workspaces(redis):
        yield finding


async def _workspaces(redis: Any) -> AsyncIterator[Finding]:
    """The workspaces that installed Flagman, and those whose token could not be rotated."""
    rows = [json.loads(row) for row in (await RowStore(redis, keys.installations()).all()).values()]
    installed = {
        row.get("name") or row.get("team_id") or row.get("enterprise_id"): row.get("problem")
        for row in rows
        if row.get("kind", "installed") == "installed"
    }
    for name, problem in installed.items():
        if problem:
            said = f"the token of {name} could not be rotated ({problem})"
            yield Finding("Workspaces", "wrong", said, "have somebody there open /slack/install again")
    if installed and not any(installed.values()):
        names = ", ".join(sorted(map(str, installed)))
        yield Finding("Workspaces", "ok", f"{len(installed)} installed it: {names}")


async def _permissions(redis: Any) -> Finding:
    """Whether the user in REDIS_URL may do what Flagman does."""
    with reaching_store():
        missing = await missing_permissions(redis, in_cluster=isinstance(redis, ClusterRedis))
    if missing:
        rules = " ".join(missing)
        mend = f"ACL SETUSER <user> {rules} (docs/stores.md has all that is needed)"
        return Finding("Store's user", "wrong", f"it lacks {rules}", mend)
    return Finding("Store's user", "ok", "may do all that is needed")


async def _health(redis: Any, kind: str, replicas: Replicas | None) -> AsyncIterator[Finding]:
    found = await health(redis)
    answer = f"answers in {found.round_trip.total_seconds() * 1000:.1f} ms"
    yield Finding("Store", "ok", ", ".join(filter(None, (found.server, kind, found.form, answer))))
    if finding := _replicas(found.replicas, replicas):
        yield finding
    yield skew("Store's clock", found.ahead)
    if found.synced is not None and found.synced != "always":
        yield Finding(
            "Durability",
            "note",
            f"the store syncs to disk: {found.synced}",
            "an acknowledged click can be lost in a crash; CONFIG SET appendonly yes and appendfsync always",
        )
    if found.evicts not in (None, "noeviction"):
        yield Finding(
            "Eviction",
            "wrong",
            f"the store may throw sessions away ({found.evicts})",
            "CONFIG SET maxmemory-policy noeviction",
        )


def _replicas(there: int, wanted: Replicas | None) -> Finding | None:
    """What can be lost when the primary dies; None where there is nothing to choose."""
    has = f"a primary has {there} {'replica' if there == 1 else 'replicas'}"
    if wanted and there < wanted.count:
        mend = "start more replicas, or lower FLAGMAN_WAIT_REPLICAS; until then nothing can be stored"
        return Finding("Replicas", "wrong", f"{has}, and each append waits for {wanted.count}", mend)
    if wanted:
        return Finding("Replicas", "ok", f"{has}, and each append waits for {wanted.count}")
    if there:
        mend = "when the primary dies, what it acknowledged last can be lost; FLAGMAN_WAIT_REPLICAS=1 closes that"
        return Finding("Replicas", "note", f"{has}, and no append waits for them", mend)
    return None


async def _troubles(redis: Any, unpark: bool) -> AsyncIterator[Finding]:
    ready, outbox = SessionQueue(redis, redis, "ready"), SessionQueue(redis, redis, "outbox")
    none = True
    for queue, what in ((ready, "Session"), (outbox, "Messages of")):
        for session_id, why in (await queue.troubles()).items():
            none = False
            if unpark:
                await queue.enqueue(session_id)
                yield Finding("Jobs", "note", f"{what} {session_id} is tried again now ({why})")
            else:
                yield Finding(
                    "Jobs",
                    "wrong",
                    f"{what} {session_id}: {why}",
                    "see the worker's log; it is tried again by itself, and at once by flagman doctor --unpark",
                )
    if none:
        yield Finding("Jobs", "ok", "every session can continue")


def skew(what: str, ahead: timedelta) -> Finding:
    seconds = abs(ahead.total_seconds())
    said = f"{seconds:.1f} s {'ahead of' if ahead > timedelta() else 'behind'} ours"
    if abs(ahead) > SKEW_WRONG:
        return Finding(
            what, "wrong", said, "set this machine's clock (timedatectl set-ntp true), or the other's"
        )
    if abs(ahead) > SKEW_NOTED:
        return Finding(what, "note", said, "timers fire early or late by that; set both by NTP")
    return Finding(what, "ok", f"within {max(seconds, 0.1):.1f} s of ours")
