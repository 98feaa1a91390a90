"""The page at /docs in a real Chromium: it draws every route, and breaks none of its own rules."""

import pytest
from playwright.async_api import async_playwright

from infra.catalog import DEFAULT_PATH, ROUTES
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.clients.conftest import Served

pytestmark = [pytest.mark.stack, pytest.mark.browser]


@pytest.mark.skipif(CHROMIUM is None, reason="neither chromium nor google-chrome is installed")
async def test_the_page_shows_every_route_and_complains_of_nothing(served: Served) -> None:
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1280, "height": 1600})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("request", lambda sent: complaints.append(sent.url) if served.url not in sent.url else None)
        await page.goto(f"{served.url}/docs")
        await page.wait_for_selector(".opblock")
        shown = await page.locator(".opblock-summary-path").all_inner_texts()
        await browser.close()
    paths = {path.replace("\u200b", "") for path in shown}
    assert paths == {route.path for route in ROUTES if route.path != DEFAULT_PATH}
    assert [one for one in complaints if not one.startswith("data:")] == []
