"""A real Chromium on the playground's page, with a Flagman behind it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect
from redis.asyncio import Redis

from supervisor.models import DemoGateway
from tests.support.flagman import Flagman, settings
from tests.support.slack import Slack

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> str | None:
    """The path of the system's Chromium; None where Playwright brings its own, downloaded if it is missing."""
    if CHROMIUM is None:
        install = [sys.executable, "-m", "playwright", "install", "chromium"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail("The browser tests need Chromium; install it (Debian: apt install chromium).")
    return CHROMIUM


@pytest.fixture
async def browser(chromium: str | None) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack() as running:
        yield running


@pytest.fixture
async def flagman(slack: Slack, redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Flagman]:
    config = settings(slack.api_url, valkey_url, tmp_path)
    async with Flagman(config, DemoGateway(delay=timedelta())) as running:
        yield running


@pytest.fixture
async def page(browser: Browser, slack: Slack, flagman: Flagman) -> AsyncIterator[Page]:
    """The page as it opens; fails the test on any error of its scripts."""
    page = await browser.new_page(viewport={"width": 1280, "height": 860})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    await slack.connected()
    await page.goto(slack.url)
    await page.locator("body[data-ready]").wait_for()
    yield page
    await page.close()
    assert errors == []
