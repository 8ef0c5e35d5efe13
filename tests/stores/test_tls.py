"""The store is reached through TLS with a certificate authority of one's own, and with a client's certificate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from storage.connection import connect, wait_ready
from storage.errors import StoreUnavailable
from storage.log import Effects, LogStore
from storage.queue import SessionQueue
from tests.support.store_servers import LOOPBACK, Server, alone
from tests.support.tls import Authority, tls_to


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with alone() as made:
        yield made


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def port(server: Server, authority: Authority) -> AsyncIterator[int]:
    """A port through TLS that asks for a certificate of the same authority."""
    async with tls_to(server.port, *authority.issue("store"), clients_of=authority) as found:
        yield found


async def test_work_is_done_with_a_certificate(port: int, authority: Authority) -> None:
    certificate, key = authority.issue("client")
    files = f"ssl_ca_certs={authority.certificate}&ssl_certfile={certificate}&ssl_keyfile={key}"
    url = f"rediss://{LOOPBACK}:{port}/0?{files}"
    redis, blocking = connect(url), connect(url, blocking=True)
    try:
        queue = SessionQueue(redis, blocking, "ready")
        await queue.open()
        await LogStore(redis).append("abcd-0001", 0, [b"1"], Effects(enqueue=["ready"]))
        (job,) = await queue.take("c", limit=1, block=timedelta(seconds=5))
        assert job.session_id == "abcd-0001"
    finally:
        await redis.aclose()
        await blocking.aclose()


async def test_another_authority_or_no_certificate_is_refused(
    port: int, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", "stranger")
    for files in (f"ssl_ca_certs={stranger.certificate}", f"ssl_ca_certs={authority.certificate}"):
        redis = connect(f"rediss://{LOOPBACK}:{port}/0?{files}")
        try:
            with pytest.raises(StoreUnavailable):
                await wait_ready(redis, timedelta(seconds=0.5))
        finally:
            await redis.aclose()
