"""Commands given at once share a connection and a write, and each caller gets its own answer."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from storage import connection
from storage.connection import connect, reaching_store
from storage.embedded_server import EmbeddedServer
from storage.errors import StoreUnavailable
from tests.support.redis_proxy import RedisProxy

ECHO = "return ARGV[1]"
KEPT = "return redis.call('RPUSH', KEYS[1], ARGV[1])"
PICKY = "if ARGV[1] == 'no' then return redis.error_reply('not this one') end return ARGV[1]"


async def connections(redis: Redis) -> int:
    info: Any = await redis.info("stats")
    return int(info["total_connections_received"])


async def test_each_caller_gets_its_own_answer_over_one_connection(redis: Redis) -> None:
    echo = redis.register_script(ECHO)
    await echo(args=["warm"])
    before = await connections(redis)
    answers = await asyncio.gather(*(echo(args=[n]) for n in range(500)))
    assert answers == [b"%d" % n for n in range(500)]
    assert await connections(redis) == before


async def test_a_refused_call_leaves_the_others_whole(redis: Redis) -> None:
    picky = redis.register_script(PICKY)
    words = ["a", "no", "b", "no", "c"]
    answers = await asyncio.gather(*(picky(args=[word]) for word in words), return_exceptions=True)
    assert [answers[0], answers[2], answers[4]] == [b"a", b"b", b"c"]
    assert all(isinstance(answers[n], ResponseError) for n in (1, 3))
    assert await picky(args=["d"]) == b"d"


async def test_a_call_that_cannot_be_sent_fails_alone(redis: Redis) -> None:
    echo: Any = redis.register_script(ECHO)
    calls = [echo(args=[what]) for what in ("a", object())]
    good, bad = await asyncio.gather(*calls, return_exceptions=True)
    assert good == b"a"
    assert isinstance(bad, Exception)


async def test_a_server_that_forgot_the_scripts_is_told_again(redis: Redis) -> None:
    kept = redis.register_script(KEPT)
    await kept(keys=["list"], args=["first"])
    await redis.script_flush()
    await asyncio.gather(*(kept(keys=["list"], args=[n]) for n in range(20)))
    assert await redis.llen("list") == 21


async def test_a_caller_that_gives_up_leaves_the_others_whole(redis: Redis) -> None:
    echo = redis.register_script(ECHO)
    calls = [asyncio.create_task(echo(args=[n])) for n in range(10)]
    await asyncio.sleep(0)
    calls[3].cancel()
    await asyncio.sleep(0)
    calls[5].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(answers[n] == b"%d" % n for n in range(10) if n not in (3, 5))
    assert await asyncio.gather(*(echo(args=[n]) for n in range(3))) == [b"0", b"1", b"2"]


async def test_a_lost_answer_is_told_to_everybody_who_waits(valkey_url: str, redis: Redis) -> None:
    async with RedisProxy(valkey_url) as proxy:
        through = connect(proxy.url)
        try:
            kept = through.register_script(KEPT)
            await kept(keys=["list"], args=["warm"])
            proxy.at("the seventh", "after", lambda: None)
            told = await asyncio.gather(
                *(kept(keys=["list"], args=["the seventh" if n == 7 else n]) for n in range(20)),
                return_exceptions=True,
            )
            assert all(isinstance(answer, RedisError) for answer in told)
            assert await kept(keys=["list"], args=["after"]) > 1
        finally:
            await through.aclose()


@pytest.mark.crash
async def test_a_server_that_is_gone_is_named_and_found_again(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path, password="")
    await server.start()
    client = connect(server.url)
    kept = client.register_script(KEPT)
    try:
        await kept(keys=["list"], args=["one"])
        await server.stop()
        with pytest.raises(StoreUnavailable), reaching_store():
            await kept(keys=["list"], args=["two"])
        server = EmbeddedServer(tmp_path, password="")
        await server.start()
        with reaching_store():
            assert await kept(keys=["list"], args=["three"]) == 2
    finally:
        await client.aclose()
        await server.stop()


async def test_plain_commands_and_scripts_go_out_together(redis: Redis) -> None:
    echo = redis.register_script(ECHO)
    await echo(args=["warm"])
    before = await connections(redis)
    asked = [redis.hset("hash", f"field-{n}", n) for n in range(50)]
    asked += [echo(args=[n]) for n in range(50)]
    answers: list[Any] = await asyncio.gather(*asked)
    assert answers == [1] * 50 + [b"%d" % n for n in range(50)]
    assert await redis.hgetall("hash") == {b"field-%d" % n: b"%d" % n for n in range(50)}
    assert await connections(redis) == before


async def test_a_command_that_waits_holds_up_no_other(redis: Redis) -> None:
    read: Any = redis.xread({"stream": "$"}, block=20_000)
    waiting = asyncio.create_task(read)
    while not any("b" in client["flags"] for client in await redis.client_list()):
        await asyncio.sleep(0.01)
    await redis.xadd("stream", {"a": "b"})
    assert (await waiting)[b"stream"]


@pytest.mark.crash
async def test_a_server_that_answers_nothing_is_given_up_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.5)
    server = EmbeddedServer(tmp_path, password="")
    await server.start()
    client = connect(server.url)
    try:
        pid = (await client.info("server"))["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            told = await asyncio.gather(*(client.get(f"key-{n}") for n in range(3)), return_exceptions=True)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert [type(error) for error in told] == [RedisTimeoutError] * 3
        assert await client.set("key", "value")
    finally:
        await client.aclose()
        await server.stop()
