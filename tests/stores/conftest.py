"""Stores of real servers: a set with Sentinels and a cluster, each started once a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.process_pool import ProcessPool, process_pool
from tests.support.store_servers import Cluster, SentinelSet, cluster, sentinel_set


@pytest.fixture(scope="module")
def sentinels() -> Iterator[SentinelSet]:
    with sentinel_set() as made:
        yield made


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture(scope="module", params=["sentinel", "cluster"])
def valkey_url(request: pytest.FixtureRequest) -> str:
    """The URL of each kind of store, for all stories that are told in a module of this folder."""
    kind = {"sentinel": "sentinels", "cluster": "nodes"}[request.param]
    return str(request.getfixturevalue(kind).url)


@pytest.fixture(name="process_pool")
def _process_pool() -> ProcessPool:
    return process_pool()
