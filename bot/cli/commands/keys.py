"""`flagman keys create | list | revoke`: in the store itself, or through a running Flagman.

The first key of a Flagman with a REDIS_URL can only be created in its store. An embedded store is reached through the
process that runs it; where none runs, the command starts the store itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from bot.cli.client import Json, carry_out

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend
    from supervisor.api_keys import ApiKeys

app = typer.Typer(no_args_is_help=True, help="API keys: who a program is, and what it may do.")
Row = dict[str, Any]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who acts with it, such as deploy-pipeline.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope", "-s", help="launch, approve, read, read_all or admin; may be given several times."
        ),
    ] = None,
    owner: Annotated[
        str, typer.Option(help="The person whose key it is (U0123ABCD): what it does counts as theirs.")
    ] = "",
    json: Json = False,
) -> None:
    """A new key; it is shown this once. Without --scope it may launch and read."""

    async def work() -> None:
        from bot.cli.terminal import as_json, done, hint, is_terminal, show
        from supervisor.api_keys import check_new_key

        wanted = scope or ["launch", "read"]
        check_new_key(name, wanted, owner)
        async with _desk() as desk:
            row = await desk.create(name, wanted, owner)
        if json:
            as_json(row)
            return
        if is_terminal():
            done(
                f"Key {row['id']} of {row['name']}, scopes: {', '.join(row['scopes'])}. "
                "Copy it now; it won't be shown again:"
            )
        show(row["key"])
        hint(f"  export FLAGMAN_API_KEY={row['key'][:12]}…")

    carry_out(work)


@app.command("list")
def list_(json: Json = False) -> None:
    """All keys, whose they are, and when each was last used."""

    async def work() -> None:
        from bot.cli.terminal import DIM, ago, as_json, hint, table

        async with _desk() as desk:
            rows = await desk.list()
        if json:
            as_json(rows)
            return
        if not rows:
            hint("No keys. Make one: flagman keys create deploy-pipeline --scope launch --scope read")
            return

        def when(row: Row, field: str, never: str) -> str:
            return ago(datetime.fromisoformat(row[field])) if row[field] else never

        table(
            ("ID", "NAME", "OWNER", "SCOPES", "MADE", "LAST USED"),
            [
                (
                    (row["id"], "bold"),
                    row["name"],
                    row["owner"],
                    " ".join(row["scopes"]),
                    (when(row, "created_at", "FLAGMAN_API_KEYS"), DIM),
                    (when(row, "last_used_at", "never"), DIM),
                )
                for row in rows
            ],
            wide=3,
        )

    carry_out(work)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """From now on it opens nothing."""

    async def work() -> None:
        from bot.cli.terminal import done

        async with _desk() as desk:
            await desk.revoke(key_id)
        done(f"Key {key_id} is revoked.")

    carry_out(work)


class Desk(Protocol):
    """The interface to the keys, in the store or through a running Flagman."""

    async def create(self, name: str, scopes: Sequence[str], owner: str) -> Row: ...
    async def list(self) -> list[Row]: ...
    async def revoke(self, key_id: str) -> None: ...


class _RemoteKeys:
    """Keys through a running Flagman."""

    def __init__(self, remote: HttpBackend) -> None:
        self._remote = remote

    async def create(self, name: str, scopes: Sequence[str], owner: str) -> Row:
        wanted = {"name": name, "scopes": list(scopes), "owner": owner}
        row: Row = await self._remote.call("POST", "/v1/keys", wanted)
        return row

    async def list(self) -> list[Row]:
        rows: list[Row] = (await self._remote.call("GET", "/v1/keys"))["keys"]
        return rows

    async def revoke(self, key_id: str) -> None:
        await self._remote.call("DELETE", f"/v1/keys/{key_id}")


class _StoredKeys:
    """Keys in the store."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    async def create(self, name: str, scopes: Sequence[str], owner: str) -> Row:
        from bot.local_key import user_name

        key, text = await self._keys.create(name, scopes, f"cli:{user_name()}", owner=owner)  # type: ignore[arg-type]
        return {**key.model_dump(mode="json", exclude={"hash"}), "last_used_at": None, "key": text}

    async def list(self) -> list[Row]:
        return [
            {
                **key.model_dump(mode="json", exclude={"hash"}),
                "last_used_at": used.isoformat() if used else None,
            }
            for key, used in await self._keys.list()
        ]

    async def revoke(self, key_id: str) -> None:
        await self._keys.revoke(key_id)


@asynccontextmanager
async def _desk() -> AsyncIterator[Desk]:
    import os

    from bot.local_key import read_local_key
    from bot.sdk import connect
    from bot.settings import read_settings
    from storage.embedded_server import embedded_server
    from supervisor.core.errors import Unavailable

    settings = read_settings()
    own = read_local_key(settings.data) is not None and not settings.redis_url
    if os.environ.get("FLAGMAN_API_KEY") or own:
        async with connect() as remote:
            try:
                await remote.call("GET", "/v1/me")
            except Unavailable:
                # A Flagman that was killed leaves its key file behind, so the store is tried instead.
                if not own:
                    raise
            else:
                yield _RemoteKeys(remote)
                return
    if settings.redis_url:
        async with _on_store(settings.redis_url.get_secret_value()) as keys:
            yield keys
        return
    async with embedded_server(settings.data) as url, _on_store(url) as keys:
        yield keys


@asynccontextmanager
async def _on_store(url: str) -> AsyncIterator[_StoredKeys]:
    from datetime import UTC, timedelta

    from bot.settings import read_settings
    from storage.api_keys import ApiKeyStore
    from storage.connection import connect, wait_ready
    from supervisor.api_keys import ApiKeys

    redis = connect(url)
    try:
        await wait_ready(redis, timedelta(seconds=5))
        given = [key for key, _ in read_settings().given_keys]
        yield _StoredKeys(ApiKeys(ApiKeyStore(redis), given, lambda: datetime.now(UTC)))
    finally:
        await redis.aclose()
