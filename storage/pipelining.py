"""Scripts called in the same turn of the event loop travel together: one connection, one write, one wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError, ResponseError

# A packed command, and where its answer goes.
Call = tuple[bytes, "asyncio.Future[Any]"]


class TogetherRedis(Redis):
    """A client whose registered scripts share their way to the server; every other command goes by itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: list[Call] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def register_script(self, script: Any) -> Any:
        return _Script(self, script)

    async def together(self, *command: Any) -> Any:
        """Send a command with whatever else is sent in this turn; raises what the server answers to it."""
        loop = asyncio.get_running_loop()
        packed, answer = hiredis.pack_command(command), loop.create_future()
        self._waiting.append((packed, answer))
        if len(self._waiting) == 1:
            loop.call_soon(self._leave)
        return await answer

    def _leave(self) -> None:
        calls = [call for call in self._waiting if not call[1].done()]
        self._waiting = []
        task = asyncio.create_task(self._travel(calls))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _travel(self, calls: Sequence[Call]) -> None:
        """Never raises but for cancellation: what went wrong on the way is told to everybody who waits."""
        try:
            connection = await self.connection_pool.get_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.send_packed_command([packed for packed, _ in calls])
                # Answers come in the order of the commands; a refusal of one leaves the others whole.
                for _, answer in calls:
                    try:
                        _settle(answer, await connection.read_response(), None)
                    except ResponseError as refusal:
                        _settle(answer, None, refusal)
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            finally:
                await self.connection_pool.release(connection)
        except Exception as error:  # noqa: BLE001  each caller raises it
            for _, answer in calls:
                _settle(answer, None, error)
        except BaseException:
            for _, answer in calls:
                answer.cancel()
            raise


def _settle(answer: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
    """A caller that no longer waits is left alone."""
    if answer.done():
        return
    if error is None:
        answer.set_result(value)
    else:
        answer.set_exception(error)


class _Script(AsyncScript):
    async def __call__(
        self, keys: Sequence[Any] | None = None, args: Iterable[Any] | None = None, client: Any = None
    ) -> Any:
        client, rest = client or self.registered_client, (len(keys or ()), *(keys or ()), *(args or ()))
        try:
            return await client.together("EVALSHA", self.sha, *rest)
        except NoScriptError:
            # A server that was restarted knows no scripts; nothing was carried out.
            await client.script_load(self.script)
            return await client.together("EVALSHA", self.sha, *rest)
