"""A newcomer attaches a file to a task in plain words, and the agent has it."""

from __future__ import annotations

import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.support.flagman import Flagman

pytestmark = pytest.mark.browser


async def test_a_file_goes_along(page: Page, flagman: Flagman) -> None:
    content: FilePayload = {"name": "usage.csv", "mimeType": "text/csv", "buffer": b"host,free\na,3\n"}
    await page.get_by_test_id("files").set_input_files([content])
    await expect(page.locator(".chip")).to_have_text("usage.csv")
    await page.get_by_test_id("composer").fill("@flagman sre: read the table")
    await page.get_by_test_id("send").click()
    await expect(page.get_by_text("1 file went along")).to_be_visible()
    await expect(page.locator(".chip")).to_have_count(0)
    session = await flagman.session(lambda s: s.attachments.taken)
    assert session.task == "read the table"
    folder = flagman.core.settings.workspace_folder / session.folder
    assert (folder / "attached/usage.csv").read_bytes() == b"host,free\na,3\n"
