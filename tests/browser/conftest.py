"""A real Chromium, the market on show, and a page on it that must not complain."""

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.exhibit import Exhibit

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest_asyncio.fixture(loop_scope="module")
async def exhibit() -> AsyncIterator[Exhibit]:
    async with Exhibit().served() as exhibit:
        yield exhibit


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests of a module, because starting one takes longer than most of them."""
    if CHROMIUM is None:
        pytest.skip("neither chromium nor google-chrome is installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the page's console says that it should not; see `page`."""
    return []


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, exhibit: Exhibit, complaints: list[str]) -> AsyncIterator[Page]:
    """A dark desktop; a test that means to break the network empties `complaints`."""
    assert exhibit.address, "closed after the page, so that the page does not complain of that"
    context = await browser.new_context(viewport={"width": 1360, "height": 820}, color_scheme="dark")
    page = await context.new_page()
    page.set_default_timeout(15_000)
    page.on("pageerror", lambda error: complaints.append(f"page error: {error}"))
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    yield page
    await context.close()
    assert complaints == []
