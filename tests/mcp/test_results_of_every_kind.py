"""Each part of a result becomes bounded text for the model, or a file of the session."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from mcp_types import Annotations, CallToolResult, EmbeddedResource, ImageContent, TextContent
from mcp_types import BlobResourceContents as Blob

from supervisor.core.errors import ToolError
from supervisor.mcp import results
from supervisor.mcp.results import output_of
from supervisor.tools.contract import ToolContext, Toolset
from tests.mcp.conftest import Open
from tests.mcp.hosted import Hosted, described


async def test_text_files_links_and_structured_parts(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext
) -> None:
    hosted.offers(described("parts"))
    await connect(hosted.file()).ready(["host"])
    output = await tools["host__parts"].run({"to": "x"}, context)
    assert output.artifacts == (
        "mcp/1.1-1/for-people.txt",
        "mcp/1.1-1/image.png",
        "mcp/1.1-1/escape.bin",
    )
    assert "for the agent" in output.content
    assert "for people alone" not in output.content, "the model does not read what is not for it"
    assert (context.folder / output.artifacts[0]).read_text() == "for people alone"
    assert (context.folder / output.artifacts[1]).read_bytes().startswith(b"\x89PNG")
    assert "it is no base64" in output.content
    assert "report at file:///reports/1" in output.content
    assert "[note://1]\na note" in output.content
    assert '{"count": 7}' in output.content


async def test_people_see_the_progress_of_a_call(
    hosted: Hosted, connect: Open, tools: Toolset, context: ToolContext
) -> None:
    hosted.offers(described("steps"))
    await connect(hosted.file()).ready(["host"])
    seen: list[bytes] = []
    await tools["host__steps"].run({"to": "x"}, replace(context, printed=seen.append))
    assert seen == [b"step 1 (1 of 2)\n", b"step 2 (2 of 2)\n"]


def test_structured_content_that_is_a_part_already_is_not_repeated(context: ToolContext) -> None:
    result = CallToolResult(content=[TextContent(text='{"a": 1}')], structured_content={"a": 1})
    assert output_of(result, context).content == '{"a": 1}'
    assert output_of(CallToolResult(content=[]), context).content == "It ended without a result."


def test_too_much_is_left_out_and_said(context: ToolContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_FILE_BYTES", 10)
    data = base64.b64encode(b"x" * 11).decode()
    many = [TextContent(text=str(n)) for n in range(200)]
    output = output_of(
        CallToolResult(content=[ImageContent(data=data, mime_type="image/png"), *many]), context
    )
    assert output.artifacts == ()
    assert "the file is left out, since it has 11 bytes" in output.content
    assert "101 more parts are left out" in output.content


def test_no_name_of_a_server_leads_out_of_the_folder(context: ToolContext) -> None:
    blobs = [
        EmbeddedResource(resource=Blob(uri=uri, blob="QQ=="), annotations=Annotations(audience=["user"]))
        for uri in ("x://..", "x:///etc/passwd", "x://a/%2e%2e%2fb", "x://" + "n" * 500)
    ]
    output = output_of(CallToolResult(content=blobs), context)
    assert len(output.artifacts) == 4
    written = [path for path in context.folder.parent.rglob("*") if path.is_file()]
    assert all(path.parent == context.folder / "mcp" / "1.1-1" for path in written)


def test_an_error_is_one_and_no_secret_is_cut_in_two(context: ToolContext) -> None:
    secret = "ghx-0123456789abcdef"
    text = "a" * (results.MOST_TEXT // 2 - 5) + secret + "b" * results.MOST_TEXT
    masked = ToolContext(
        *("s", "1.1", "k", 1, context.folder), mask=lambda part: part.replace(secret, "[masked]")
    )
    with pytest.raises(ToolError) as error:
        output_of(CallToolResult(content=[TextContent(text=text)], is_error=True), masked)
    assert "ghx" not in str(error.value)
