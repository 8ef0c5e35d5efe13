"""One Flagman for all tests of the command line; each works with sessions of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.served import Cli, Served, served


@pytest.fixture(scope="package")
def flagman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


PERSONAS = {
    "steps": "tools: [note_decision, shell]\nbudgets: {max_steps: 1}",
    "context": "tools: [note_decision, shell]\nbudgets: {max_context_tokens: 10}",
    "lead": "tools: [plan_tasks]\nagents: [worker]\ndelegates: [shell]\n"
    "approvals: [{tool: plan_tasks, mode: allow}]",
    "worker": "tools: [shell]",
}


@pytest.fixture(scope="package")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A Flagman with personas of its own: two have little to spend, one plans without asking."""
    folder = tmp_path_factory.mktemp("staffed")
    personas = folder / "personas"
    personas.mkdir()
    for name, front in PERSONAS.items():
        head = f"---\nname: {name}\ndescription: One of ours.\n{front}\n---\n"
        (personas / f"{name}.md").write_text(f"{head}Look.\n")
    with served(folder, FLAGMAN_PERSONAS=str(personas)) as running:
        yield running


@pytest.fixture
def cli(flagman: Served) -> Cli:
    return flagman.cli
