"""A coordinator in the page: its plan is read and approved, and what its sub-agents ask is decided on its board."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

pytestmark = pytest.mark.browser


async def test_a_plan_is_read_approved_and_worked_through_on_the_board(page: Page) -> None:
    await page.get_by_test_id("composer").fill("/agent launch project-coordinator find out why it is slow")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Waiting for an approval")).to_be_visible()
    await page.get_by_test_id("open-thread").first.click()
    thread = page.get_by_test_id("thread")
    last = thread.locator("ol > li").filter(has_text="write-up (release-manager), after look, options")
    # The card, which begins the thread, and the request below it have the plan and its buttons.
    await expect(last).to_have_count(2)
    await thread.locator('[data-action-id="call_approve"]').first.click()

    approve = thread.locator('[data-action-id="call_approve"]')
    board = thread.locator("article").filter(has=page.locator('[data-action-id="child_look"]'))
    await expect(board.get_by_text("0/3 done")).to_be_visible()
    for left, waits in ((4, "4 decisions wait"), (3, "3 decisions wait"), (2, "2 decisions wait")):
        await expect(approve).to_have_count(left)
        await expect(board.get_by_text(waits)).to_be_visible()
        await approve.first.click()
    await expect(board.get_by_text("1 decision waits")).to_be_visible()
    await board.locator('[data-action-id="child_look"]').first.click()
    await expect(page.get_by_text("Sub-agent look of project-coordinator").first).to_be_visible()
