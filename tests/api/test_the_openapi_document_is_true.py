"""The OpenAPI document is what the API does: tried out by schemathesis, which reads nothing else."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.api.app import OPERATIONS
from tests.api.conftest import ALL, Build, House
from tests.examples import examples
from tests.support.scripted import says

EXAMPLES = examples(5)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


@pytest.fixture
async def trial(build: Build) -> House:
    return await build(lambda _: says("Done."), api_rate="100000/100000")


async def test_schemathesis_finds_it_true(trial: House, tmp_path: Path) -> None:
    for n in range(3):
        await trial.launch(f"task {n}")
    schemathesis = Path(sys.executable).with_name("schemathesis")
    options = {
        "--checks": ",".join(CHECKS),
        "--max-examples": str(EXAMPLES),
        "--request-timeout": "60",
        "--header": f"Authorization: Bearer {ALL}",
        # It waits, and does so for as long as it is told.
        "--exclude-operation-id": "wait_for_session",
        "--seed": "77",
        "--warnings": "off",
    }
    process = await asyncio.create_subprocess_exec(
        schemathesis,
        "run",
        f"{trial.url}/v1/openapi.json",
        "--continue-on-failure",
        *(word for pair in options.items() for word in pair),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    assert process.returncode == 0, text
    assert "Network" not in text


async def test_it_is_a_document_of_all_routes(trial: House) -> None:
    reply = await (await trial.as_(None)).get("/v1/openapi.json")
    document: dict[str, Any] = reply.body
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, on in document["paths"].items() for method in on}
    assert described == {(o.method, o.path) for o in OPERATIONS}
    ids = [on["operationId"] for path in document["paths"].values() for on in path.values()]
    assert len(ids) == len(set(ids))
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"]
