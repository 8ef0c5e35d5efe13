"""One Flagman, served as the README says; each example works with sessions of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.cli.served import Served, served
from tests.support.api import Client

SECRET = "whsec_cmVhZG1lLXNlY3JldC1yZWFkbWU="


@pytest.fixture(scope="package")
def flagman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served"), FLAGMAN_WEBHOOK_SECRET=SECRET) as running:
        yield running


@pytest.fixture
async def api(flagman: Served) -> AsyncIterator[Client]:
    """Its HTTP API and its playground, with the key of `flagman serve`."""
    async with Client(flagman.url, flagman.key) as client:
        yield client
