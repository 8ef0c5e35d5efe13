"""A server that answers and cannot work is not available, with a sentence of its own."""

from __future__ import annotations

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ResponseError

from storage.connection import REFUSALS, connect, reaching_store
from storage.errors import StoreRefused
from tests.support.redis_proxy import RedisProxy


@pytest.mark.parametrize("code", [*REFUSALS])
def test_each_refusal_is_not_available(code: str) -> None:
    with pytest.raises(StoreRefused, match=f"not available: .*{code}"), reaching_store():
        raise BaseParser.parse_error(f"{code} what the server says.")  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("code", [*REFUSALS])
@pytest.mark.parametrize("transaction", [False, True])
async def test_so_is_that_of_a_command_in_a_pipeline(valkey_url: str, code: str, transaction: bool) -> None:
    async with RedisProxy(valkey_url) as proxy:
        proxy.refusal = f"{code} what the server says."
        client = connect(proxy.url)
        pipeline = client.pipeline(transaction=transaction)
        pipeline.get("a (b) of pipeline caused error: ('X")
        with pytest.raises(StoreRefused, match=f"not available: .*{code}"), reaching_store():
            await pipeline.execute()
        await client.aclose()


@pytest.mark.parametrize("code", ["NOTREADY", "MOVED", "FAILOVER", "SOMEDAY"])
def test_a_code_that_is_not_known_is_a_refusal(code: str) -> None:
    with pytest.raises(StoreRefused, match=code), reaching_store():
        raise ResponseError(f"{code} what the server says")


@pytest.mark.parametrize("answer", ["WRONGTYPE x", "ERR unknown command", "BUSYGROUP x", "NOGROUP x"])
def test_a_fault_of_the_command_stays_one(answer: str) -> None:
    with pytest.raises(ResponseError), reaching_store():
        raise BaseParser.parse_error(answer)  # type: ignore[no-untyped-call]
