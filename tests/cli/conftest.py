"""One Flagman for all tests of the command line; each works with sessions of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.served import Cli, Served, served


@pytest.fixture(scope="package")
def flagman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
def cli(flagman: Served) -> Cli:
    return flagman.cli
