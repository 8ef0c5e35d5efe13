"""File tools work inside the session's folder and nowhere else."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.errors import InvalidArguments, ToolError
from supervisor.tools.contract import ToolContext
from supervisor.tools.files import MOST_BYTES, MOST_ENTRIES, read_file, write_file
from supervisor.tools.path_guard import open_folder, parent_of
from tests.examples import examples


async def read(ctx: ToolContext, path: str, **more: int) -> str:
    return (await read_file.run(read_file.validate({"path": path, **more}), ctx)).content


async def write(ctx: ToolContext, path: str, content: str) -> str:
    return (await write_file.run(write_file.validate({"path": path, "content": content}), ctx)).content


async def test_written_file_is_read_back(ctx: ToolContext) -> None:
    assert "a new file" in await write(ctx, "./notes//plan.md", "ünï\n")
    assert "replacing" in await write(ctx, "notes/plan.md", "second")
    assert await read(ctx, "notes/plan.md") == "second"
    assert os.listdir(ctx.folder / "notes") == ["plan.md"]
    output = await write_file.run(write_file.validate({"path": "./a//b", "content": ""}), ctx)
    assert output.artifacts == ("a/b",)


async def test_rights_of_a_replaced_file_stay(ctx: ToolContext) -> None:
    (ctx.folder / "run.sh").write_text("x")
    (ctx.folder / "run.sh").chmod(0o755)
    await write(ctx, "run.sh", "y")
    assert (ctx.folder / "run.sh").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a/..", "..", "", " ", "a\0b"])
def test_paths_that_lead_out_are_refused_before_anybody_is_asked(path: str) -> None:
    for tool, more in ((read_file, {}), (write_file, {"content": "x"})):
        with pytest.raises(InvalidArguments, match="`path`"):
            tool.validate({"path": path, **more})


@pytest.mark.parametrize("link", ["direct", "folder/secret", "chain", "loop", "dangling"])
async def test_links_that_lead_out_are_refused(ctx: ToolContext, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (ctx.folder / "direct").symlink_to(outside / "secret")
    (ctx.folder / "folder").symlink_to("../outside")
    (ctx.folder / "chain").symlink_to("direct")
    (ctx.folder / "loop").symlink_to("loop")
    (ctx.folder / "dangling").symlink_to(outside / "new")
    for attempt in (read(ctx, link), write(ctx, link, "changed")):
        with pytest.raises(ToolError):
            await attempt
    assert (outside / "secret").read_text() == "secret"
    assert os.listdir(outside) == ["secret"]


async def test_links_that_stay_inside_are_followed(ctx: ToolContext) -> None:
    await write(ctx, "real/file", "x")
    (ctx.folder / "link").symlink_to("real")
    (ctx.folder / "filelink").symlink_to("real/file")
    assert await read(ctx, "link/file") == "x"
    await write(ctx, "filelink", "y")
    assert (ctx.folder / "filelink").is_symlink()
    assert (ctx.folder / "real/file").read_text() == "y"


async def test_links_swapped_in_meanwhile_never_lead_out(ctx: ToolContext, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("secret")
    (ctx.folder / "real").mkdir()
    (ctx.folder / "real" / "file").write_text("inside")
    (ctx.folder / "evil").symlink_to(outside)
    (ctx.folder / "flip").symlink_to("real")
    stop = threading.Event()

    def swap() -> None:
        real, evil, spare = (ctx.folder / name for name in ("real", "evil", "spare"))
        while not stop.is_set():
            for one, two in ((real, spare), (evil, real), (real, evil), (spare, real)):
                os.rename(one, two)
            for target in (outside, "real"):
                spare.symlink_to(target)
                os.replace(spare, ctx.folder / "flip")

    swapper = threading.Thread(target=swap)
    swapper.start()
    outcomes: set[str] = set()
    rounds = 0
    try:
        # As often as it takes until the links were seen in both places, which is up to the scheduler.
        while rounds < 1_000 or len(outcomes) < 2:
            rounds += 1
            for path in ("real/file", "flip/file"):
                try:
                    outcomes.add(await read(ctx, path))
                except ToolError as error:
                    outcomes.add(type(error).__name__)
    finally:
        stop.set()
        swapper.join()
    assert outcomes == {"inside", "ToolError"}


async def test_links_swapped_in_meanwhile_are_not_written_through(ctx: ToolContext, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (ctx.folder / "real").mkdir()
    (ctx.folder / "flip").symlink_to("real")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for target in (outside, "real"):
                (ctx.folder / "spare").symlink_to(target)
                os.replace(ctx.folder / "spare", ctx.folder / "flip")

    swapper = threading.Thread(target=swap)
    swapper.start()
    written = refused = 0
    try:
        # As often as it takes until the link was seen in both places, which is up to the scheduler.
        while written + refused < 500 or not (written and refused):
            try:
                await write(ctx, "flip/file", "x")
                written += 1
            except ToolError:
                refused += 1
    finally:
        stop.set()
        swapper.join()
    assert list(outside.iterdir()) == []


parts = st.sampled_from(
    ["..", ".", "", "a", "b", "link", "up", "/", "é", "~", "*", "C:", "a\\b", "-x", "…"]
) | st.text(max_size=3)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc where a descriptor leads")
@settings(max_examples=examples(60), deadline=None)
@given(st.lists(parts, max_size=6), st.booleans())
def test_no_path_is_opened_outside(names: list[str], absolute: bool) -> None:
    base = Path(tempfile.mkdtemp())
    try:
        folder, outside = base / "folder", base / "outside"
        (folder / "a" / "b").mkdir(parents=True)
        outside.mkdir()
        (folder / "link").symlink_to(outside)
        (folder / "a" / "up").symlink_to("../..")
        try:
            with parent_of(open_folder(folder), "/" * absolute + "/".join(names), create=True) as (parent, _):
                opened = Path(os.readlink(f"/proc/self/fd/{parent}"))
                assert opened.is_relative_to(folder.resolve())
        except (ToolError, OSError, UnicodeError):
            pass
        assert list(outside.iterdir()) == []
        assert sorted(os.listdir(base)) == ["folder", "outside"]
    finally:
        shutil.rmtree(base)


async def test_pipes_and_devices_are_not_opened(ctx: ToolContext) -> None:
    os.mkfifo(ctx.folder / "pipe")
    with pytest.raises(ToolError, match="device, pipe or socket"):
        await read(ctx, "pipe")
    with pytest.raises(ToolError, match="cannot be written"):
        await write(ctx, "pipe", "x")
    with pytest.raises(ToolError, match="is a folder"):
        await write(ctx, ".", "x")


async def test_long_file_is_cut_and_read_on_to_the_end(ctx: ToolContext) -> None:
    whole = "aé€😀" * 5_000
    await write(ctx, "long", whole)
    got, offset = "", 0
    while True:
        text = await read(ctx, "long", offset=offset, limit=1_001)
        part, cut, note = text.partition("\n[Cut: ")
        got += part
        if not cut:
            break
        assert f"of {len(whole.encode())}; " in note
        offset = int(note.rpartition("offset=")[2].removesuffix(".]"))
    assert got == whole
    with pytest.raises(ToolError, match="behind its end"):
        await read(ctx, "long", offset=10**9)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7])
async def test_small_limits_never_stand_still(ctx: ToolContext, limit: int) -> None:
    await write(ctx, "x", "a€b")
    assert (await read(ctx, "x", limit=limit)).startswith("a")


async def test_binary_is_described(ctx: ToolContext) -> None:
    (ctx.folder / "image").write_bytes(b"\x89PNG\r\n\x1a\n\0" + os.urandom(100_000))
    text = await read(ctx, "image")
    assert "is not text but binary: 100,009 bytes" in text
    assert len(text) < 200


async def test_folder_is_listed(ctx: ToolContext) -> None:
    await write(ctx, "b/c", "")
    await write(ctx, "a", "")
    assert await read(ctx, ".") == "`.` is a folder with 2 entries.\na\nb/"
    for number in range(MOST_ENTRIES + 5):
        (ctx.folder / "b" / f"{number}").touch()
    assert (await read(ctx, "b")).endswith("[Cut: 6 more entries are not listed.]")


async def test_a_listed_name_is_one_line_without_hidden_characters_or_a_secret(ctx: ToolContext) -> None:
    for name in ("two\nlines", "x\u202ecod.exe", "hunter\n2"):
        (ctx.folder / name).touch()
    masked = replace(ctx, mask=lambda text: text.replace("hunter\n2", "[masked]"))
    listed = (await read(masked, ".")).splitlines()
    assert listed[1:] == ["[masked]", r"two\u000alines", r"x\u202ecod.exe"]


def test_too_much_content_is_refused() -> None:
    write_file.validate({"path": "x", "content": "x" * MOST_BYTES})
    with pytest.raises(InvalidArguments, match=r"1,048,577 bytes, and 1,048,576 is the most"):
        write_file.validate({"path": "x", "content": "x" * (MOST_BYTES - 1) + "é"})


async def test_absent_file_is_a_sentence(ctx: ToolContext) -> None:
    with pytest.raises(ToolError, match="There is no `nothing/here`"):
        await read(ctx, "nothing/here")


async def test_verify_compares_the_content(ctx: ToolContext) -> None:
    assert write_file.verify is not None
    arguments = write_file.validate({"path": "x", "content": "new"})
    assert (await write_file.verify(arguments, ctx))[0] == "not_done"
    await write(ctx, "x", "new!")
    assert (await write_file.verify(arguments, ctx))[0] == "not_done"
    await write(ctx, "x", "new")
    assert (await write_file.verify(arguments, ctx))[0] == "done"
