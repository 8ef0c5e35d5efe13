"""A client that sends all commands over one connection, those of one turn of the event loop together."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections import deque
from collections.abc import Iterable
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from storage.clients.replicas import Confirmation, Replicas, settle

# A packed command, and the future for its answer.
Call = tuple[bytes, "asyncio.Future[Any]"]
ASKING = hiredis.pack_command(("ASKING",))


class PipeliningRedis(Redis):
    """A client whose commands share a connection; one that blocks, transactions and subscriptions have their own.

    A command without an answer for the `socket_timeout` of its connection raises TimeoutError. The commands of the
    client `durable` end when so many replicas have them as `replicas` says; where it says nothing, it is this client.
    """

    def __init__(self, *args: Any, replicas: Replicas | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._line: _Line | None = None
        self._replicas: Replicas | None = None
        self.durable = self
        if replicas:
            self.durable = PipeliningRedis(connection_pool=self.connection_pool)
            self.durable._replicas = replicas

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        return self._answer("EVALSHA", sha, numkeys, *keys_and_args)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        name = args[0]
        if b"BLOCK" in args:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        answer = await self._answer(*name.split(), *args[1:], asking=options.pop("asking", False))
        options.pop("keys", None)
        parse = self.response_callbacks.get(name)
        value = parse(answer, **options) if parse else answer
        return await value if inspect.isawaitable(value) else value

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        if self._line:
            await self._line.close()
        if self.durable is not self:
            await self.durable.aclose()
        await super().aclose(close_connection_pool)

    async def _answer(self, *command: Any, asking: bool = False) -> Any:
        """Send a command together with the others of this turn. Returns its answer, or raises its error.

        `asking` is for the node of a cluster to which a slot is moving: it takes the next command for that slot.
        """
        line = self._line
        if line is None or line.broken:
            connection = self.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            self._line = line = _Line(connection, self._replicas)
        packed = hiredis.pack_command(command)
        if asking:
            # Its error is that of the command.
            line.ask(ASKING).add_done_callback(lambda told: told.cancelled() or told.exception())
        return await line.ask(packed)


class _Line:
    """One connection, over which answers come in the order of the commands; it lasts until the first failure."""

    def __init__(self, connection: AbstractConnection, replicas: Replicas | None = None) -> None:
        self._connection, self._loop = connection, asyncio.get_running_loop()
        self._confirmation = Confirmation(replicas) if replicas else None
        self._waiting: list[Call] = []
        # When each command was sent, by the clock of the loop, and the future for its answer.
        self._sent: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._seconds = connection.socket_timeout or math.inf
        self._heard_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._more = asyncio.Event()
        self.broken = False
        self._task = asyncio.create_task(self._run())

    def ask(self, packed: bytes) -> asyncio.Future[Any]:
        """Return the future for the answer to a command, which is sent in the next turn of the event loop."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((packed, answer))
        self._more.set()
        return answer

    async def close(self) -> None:
        self._fail(RedisConnectionError("the connection was closed"))
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            await self._connection.connect()  # type: ignore[no-untyped-call]
            # Reading goes on while there is nothing to read, so that a lost connection is noticed at once.
            self._connection.socket_timeout = None
            async with asyncio.TaskGroup() as both:
                both.create_task(self._write())
                both.create_task(self._read())
        except* (RedisError, OSError) as failures:
            self._fail(_first(failures))
        finally:
            self._fail(RedisConnectionError("the connection was closed"))
            await self._connection.disconnect(nowait=True)

    async def _write(self) -> None:
        while True:
            await self._more.wait()
            if self._confirmation:
                await self._confirmation.idle.wait()
            self._more.clear()
            # Whoever was cancelled meanwhile sends nothing.
            calls = [call for call in self._waiting if not call[1].done()]
            self._waiting = []
            if calls:
                if self._confirmation:
                    calls.append(self._confirmation.call(self._loop))
                now = self._loop.time()
                self._sent += [(now, answer) for _, answer in calls]
                self._watch = self._watch or self._loop.call_at(now + self._seconds, self._look)
                await self._connection.send_packed_command(
                    [packed for packed, _ in calls], check_health=False
                )

    async def _read(self) -> None:
        while True:
            value, refusal = None, None
            try:
                value = await self._connection.read_response()
            except ResponseError as error:
                refusal = error
            self._heard_at = self._loop.time()
            if not self._sent:
                raise RedisConnectionError("an answer came to no command")
            answer = self._sent.popleft()[1]
            if self._confirmation:
                self._confirmation.hear(answer, value, refusal)
            else:
                settle(answer, value, refusal)

    def _look(self) -> None:
        """Break the connection where the oldest command is without an answer for too long."""
        self._watch = None
        if self._sent:
            until = max(self._sent[0][0], self._heard_at) + self._seconds
            if self._loop.time() < until:
                self._watch = self._loop.call_at(until, self._look)
            else:
                self._fail(RedisTimeoutError("no answer in time"))

    def _fail(self, error: Exception) -> None:
        """End it with an error for all who wait."""
        if self._watch:
            self._watch.cancel()
        answers = [answer for _, answer in (*self._sent, *self._waiting)]
        if self._confirmation:
            answers += self._confirmation.unconfirmed
        self.broken, self._waiting = True, []
        self._sent.clear()
        for answer in answers:
            settle(answer, None, error)
        if asyncio.current_task() is not self._task:
            self._task.cancel()


def _first(failures: BaseExceptionGroup[Any]) -> Exception:
    """Return one of the errors of a group, as those of redis-py are alone."""
    found = next(iter(_leaves(failures.exceptions)))
    return (
        found if isinstance(found, RedisError) else RedisConnectionError(str(found) or type(found).__name__)
    )


def _leaves(errors: Iterable[BaseException]) -> Iterable[BaseException]:
    for error in errors:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error.exceptions)
        else:
            yield error
