"""A client that sends the scripts run in one turn of the event loop together, over one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.exceptions import ResponseError

# A packed command, and the future for its answer.
Call = tuple[bytes, "asyncio.Future[Any]"]


class PipeliningRedis(Redis):
    """A client that pipelines EVALSHA; it sends all other commands separately."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: list[Call] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        return self._pipelined("EVALSHA", sha, numkeys, *keys_and_args)

    async def _pipelined(self, *command: Any) -> Any:
        """Send a command together with the others of this turn. Returns its answer, or raises its error."""
        loop = asyncio.get_running_loop()
        packed, answer = hiredis.pack_command(command), loop.create_future()
        self._waiting.append((packed, answer))
        if len(self._waiting) == 1:
            loop.call_soon(self._flush)
        return await answer

    def _flush(self) -> None:
        calls = [call for call in self._waiting if not call[1].done()]
        self._waiting = []
        task = asyncio.create_task(self._send(calls))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, calls: Sequence[Call]) -> None:
        """Send the calls and set their answers. An error is set for all callers; only a cancellation is raised."""
        try:
            connection = await self.connection_pool.get_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.send_packed_command([packed for packed, _ in calls])
                # Answers come in the order of the commands; an error of one does not affect the others.
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
    """Set an answer or an error, unless the caller no longer waits."""
    if answer.done():
        return
    if error is None:
        answer.set_result(value)
    else:
        answer.set_exception(error)
