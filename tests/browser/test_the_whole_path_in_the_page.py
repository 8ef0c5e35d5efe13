"""What a newcomer does in the page: launch, look, approve or deny, see the result."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.support.flagman import Flagman
from tests.support.slack import Slack

pytestmark = pytest.mark.browser


async def _launch(page: Page, text: str = '/agent launch sre "report on the disk"') -> None:
    await page.get_by_test_id("composer").fill(text)
    await page.keyboard.press("Enter")


async def _open_thread(page: Page) -> None:
    await page.get_by_test_id("open-thread").first.click()


async def test_launch_approve_and_see_the_result(page: Page, flagman: Flagman) -> None:
    await _launch(page)
    await expect(page.get_by_text("Waiting for an approval").first).to_be_visible()
    await _open_thread(page)
    thread = page.get_by_test_id("thread")
    await expect(thread.get_by_text("df -h").first).to_be_visible()
    await thread.locator('[data-action-id="call_approve_all"]').click()
    await expect(page.get_by_text("• shell: df -h")).to_be_visible()
    await page.get_by_role("button", name="Approve all 2").last.click()
    await expect(thread.get_by_text("Files written: report.md").last).to_be_visible()
    await expect(thread.locator('[data-action-id^="call_approve"]')).to_have_count(0)
    done = await flagman.session(lambda s: s.lifecycle == "completed")
    assert {d.by for step in done.steps for c in step.calls for d in c.decisions} == {"slack:U0ADA0001"}


async def test_deny_with_a_reason_by_another_person(page: Page, flagman: Flagman) -> None:
    await _launch(page)
    await _open_thread(page)
    await page.get_by_test_id("act-as-grace").click()
    thread = page.get_by_test_id("thread")
    await thread.locator('[data-action-id="call_deny"]').last.click()
    modal = page.get_by_test_id("modal")
    await modal.locator("textarea").fill("use the staging host first")
    await modal.get_by_test_id("modal-submit").click()
    await expect(modal).to_have_count(0)
    await expect(thread.get_by_text("use the staging host first").first).to_be_visible()
    session = await flagman.session(
        lambda s: any(c.phase == "denied" for step in s.steps for c in step.calls)
    )
    denied = [c for step in session.steps for c in step.calls if c.phase == "denied"]
    assert [(d.by, d.reason) for d in denied[0].decisions] == [
        ("slack:U0GRACE01", "use the staging host first")
    ]


async def test_the_full_call_opens_and_closes(page: Page) -> None:
    await _launch(page)
    await _open_thread(page)
    await page.locator('[data-action-id="call_view"]').first.click()
    modal = page.get_by_test_id("modal")
    await expect(modal.get_by_text("Written by the scripted demo")).to_be_visible()
    await expect(modal.get_by_text("sha256")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(modal).to_have_count(0)


async def test_a_call_is_edited_and_runs_as_saved(page: Page, flagman: Flagman) -> None:
    await _launch(page)
    await _open_thread(page)
    thread = page.get_by_test_id("thread")
    await thread.locator('[data-action-id="call_edit"]').last.click()
    modal = page.get_by_test_id("modal")
    command, seconds = (modal.locator(f'[data-block-id="arg:{n}"]') for n in (0, 1))
    await command.fill("echo edited")
    await seconds.fill("9000")
    await modal.get_by_test_id("modal-submit").click()
    await expect(modal.get_by_text("Input should be less than or equal to 600.")).to_be_visible()
    await seconds.fill("30")
    await modal.get_by_test_id("modal-submit").click()
    await expect(modal).to_have_count(0)
    await expect(thread.get_by_text("Changed by")).to_be_visible()
    await expect(thread.get_by_text("+ command: echo edited")).to_be_visible()
    await expect(thread.get_by_text("exit code 0")).to_be_visible()
    session = await flagman.session(
        lambda s: any(c.proposed and c.settled for step in s.steps for c in step.calls)
    )
    (ran,) = (c.call.arguments for step in session.steps for c in step.calls if c.proposed)
    assert ran == {"command": "echo edited", "timeout_s": 30}


async def test_the_form_launches_by_keyboard_alone(page: Page) -> None:
    await _launch(page, "/agent")
    modal = page.get_by_test_id("modal")
    await expect(modal).to_be_visible()
    await modal.locator("textarea").focus()
    await page.keyboard.type("ask me about the disk")
    await page.keyboard.press("Tab")
    await modal.get_by_test_id("modal-submit").focus()
    await page.keyboard.press("Enter")
    await expect(modal).to_have_count(0)
    await expect(page.get_by_text("ask me about the disk").first).to_be_visible()


async def test_hostile_text_stays_text(page: Page) -> None:
    await _launch(
        page,
        '/agent launch sre "<img src=x onerror=window.hit=1> <!channel> <https://evil.test|click> *bold*"',
    )
    await expect(page.get_by_text("Waiting for an approval").first).to_be_visible()
    await _open_thread(page)
    assert await page.evaluate("window.hit") is None
    assert await page.locator('a[href*="evil.test"]').count() == 0
    await expect(page.get_by_text("<!channel>").first).to_be_visible()


async def test_a_narrow_screen_shows_one_pane_at_a_time(page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await _launch(page)
    await _open_thread(page)
    await expect(page.get_by_test_id("thread")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


async def test_the_newcomer_launches_and_approves_by_two_clicks(page: Page, flagman: Flagman) -> None:
    await page.get_by_test_id("try-launch").click()
    card = page.locator("#message-list")
    await expect(card.get_by_text("scripted demo").first).to_be_visible()
    await card.locator('[data-action-id="call_approve"]').click()
    await expect(card.get_by_text("Press View details and then Edit").first).to_be_visible()
    await flagman.session(lambda s: s.steps[0].calls[0].ok)


async def test_the_newcomer_is_told_what_to_type(page: Page, slack: Slack) -> None:
    await page.get_by_role("button", name="Put it in the message box").click()
    assert "/agent launch sre" in await page.get_by_test_id("composer").input_value()
    await expect(page.get_by_test_id("connection")).to_contain_text("connected")
