"""Private and archived channels, group messages, direct messages of two and tombstones, in the page."""

from playwright.async_api import Page, expect

from tests.support.slack import ADA, BOT, GRACE, OTHER_TEAM, Slack


async def test_all_kinds_of_channels(page: Page, slack: Slack) -> None:
    nav = page.locator("#sidebar")
    secret = await slack.channel("private", name="secret", members=[ADA, BOT])
    await slack.channel("private", name="not-yours", members=[GRACE])
    await slack.channel("mpim", name="mpdm-ada--grace--flagman-1", members=[ADA, GRACE, BOT])
    direct = await slack.channel("im", members=[ADA, GRACE])
    await slack.person(name="vera", team_id=OTHER_TEAM)
    await nav.get_by_test_id("channel-secret").click()
    await expect(page.get_by_role("heading", name="secret", exact=True, level=1)).to_be_visible()
    await expect(nav.get_by_role("list", name="Direct messages")).to_contain_text("ada, grace, flagman")
    await expect(nav.get_by_role("list", name="Direct messages")).to_contain_text("Grace Hopper")
    await expect(nav).not_to_contain_text("not-yours")
    await nav.get_by_test_id("channel-grace hopper").click()
    await slack.post(GRACE, direct, "between us")
    await expect(page.get_by_text("between us")).to_be_visible()
    await expect(page.get_by_role("tab", name="Home")).to_have_count(0)
    await slack.channel(id=secret, is_archived=True)
    await nav.get_by_test_id("channel-secret").click()
    await expect(page.get_by_text("This channel is archived")).to_be_visible()


async def test_a_tombstone(page: Page, slack: Slack) -> None:
    secret = await slack.channel("private", name="secret", members=[ADA, BOT])
    await page.locator("#sidebar").get_by_test_id("channel-secret").click()
    root = await slack.post(ADA, secret, "never mind")
    await slack.post(ADA, secret, "well", root["ts"])
    await expect(page.get_by_text("never mind")).to_be_visible()
    await slack.send("delete", {"user": ADA, "channel": secret, "ts": root["ts"]})
    await expect(page.get_by_text("This message was deleted.")).to_be_visible()
    await expect(page.get_by_text("1 reply")).to_be_visible()


async def test_nobody_acts_as_somebody_deactivated(page: Page, slack: Slack) -> None:
    await expect(page.get_by_role("radio", name="Grace Hopper")).to_be_visible()
    await slack.person(id=GRACE, deleted=True)
    await expect(page.get_by_role("radio", name="Grace Hopper")).to_have_count(0)
