"""The page of alerts in a real browser: what fires, what fired, and who was told."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from marketdata.compute.alert_machine import Resolved
from marketdata.model.alert import Alert, AlertState, Severity
from marketdata.model.alert_message import AlertMessage, MessageState, Try, Verdict
from marketdata.model.alert_target import Target, TargetKind
from playwright.async_api import Browser, Page, expect

from tests.browser.exhibit import Exhibit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def fire(exhibit: Exhibit, summary: str = "coinbase-simulated: the feed is not connected") -> Alert:
    """A critical alert that has held for three minutes, and a message that was refused once."""
    began = exhibit.open_time - timedelta(minutes=3)
    alert = Alert(
        id=uuid4(),
        dedup_key=f"coinbase-simulated:{summary}",
        rule="feed.down",
        severity=Severity.CRITICAL,
        state=AlertState.FIRING,
        summary=summary,
        created_at=began,
        started_at=began,
        exchange="coinbase-simulated",
    )
    exhibit.store.put_target(Target("hook", TargetKind.GENERIC, "https://hook.example/x"))
    notice = {"kind": "alerts", "title": "x", "alerts": [{"alert_id": str(alert.id)}]}
    exhibit.commit_alerts(
        fired=(alert,), messages=(AlertMessage(uuid4(), "hook", notice, Severity.CRITICAL, began, began),)
    )
    (leased,) = exhibit.store.claim_messages("w", now=began, lease_seconds=60, limit=1)
    refused = Verdict(MessageState.WAITING, Try(leased.attempt, began, 500, "HTTP 500", 0.25))
    assert exhibit.store.record_try(leased, replace(refused, next_at=exhibit.open_time + timedelta(hours=1)))
    return alert


async def visit(page: Page, exhibit: Exhibit, query: str = "") -> None:
    await page.goto(exhibit.address + query)
    await expect(page.locator("#feed")).not_to_have_attribute("data-state", "connecting")


async def test_how_many_fire_is_seen_from_the_market_as_soon_as_the_stream_tells(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    await expect(page.locator("#alerts-count")).to_be_hidden()
    alert = fire(exhibit)
    await expect(page.locator("#alerts-count")).to_have_text("1")
    exhibit.commit_alerts(resolved=(Resolved(alert.id, exhibit.open_time),))
    await expect(page.locator("#alerts-count")).to_be_hidden()


async def test_an_alert_says_what_since_when_and_who_was_told(page: Page, exhibit: Exhibit) -> None:
    fire(exhibit)
    await visit(page, exhibit)
    await page.get_by_role("button", name="Alerts").click()
    assert "page=alerts" in page.url
    await expect(page.locator("#market")).to_be_hidden()
    one = page.locator("#alerts-firing .alert")
    await expect(one).to_contain_text("critical")
    await expect(one).to_contain_text("the feed is not connected")
    await expect(one).to_contain_text("feed.down · coinbase-simulated")
    await expect(one.locator("summary")).to_have_text("hook: waits, 1 try, last 500")
    await one.locator("summary").click()
    await expect(one.locator("tbody tr").first).to_contain_text("500")
    await expect(page.locator("#alerts-past")).to_have_text("Nothing has fired and ended lately.")


async def test_an_alert_that_ends_moves_to_those_that_ended(page: Page, exhibit: Exhibit) -> None:
    alert = fire(exhibit)
    await visit(page, exhibit, "?page=alerts")
    await expect(page.locator("#alerts-firing .alert")).to_have_count(1)
    exhibit.commit_alerts(resolved=(Resolved(alert.id, exhibit.open_time),))
    await expect(page.locator("#alerts-firing")).to_have_text("Nothing fires.")
    await expect(page.locator("#alerts-past .alert")).to_contain_text("lasted 3 min 00 s")


async def test_the_market_is_drawn_when_one_comes_back_from_the_alerts(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit, "?page=alerts")
    await page.keyboard.press("a")
    await expect(page.locator("#legend .price").first).to_be_visible()
    box = await page.locator("#chart canvas").first.bounding_box()
    assert box is not None
    assert box["width"] > 600
    await page.reload()
    await expect(page.locator("#market")).to_be_visible()


async def test_what_an_alert_says_is_text_and_no_markup(page: Page, exhibit: Exhibit) -> None:
    fire(exhibit, "<img src=x onerror=alert(1)>")
    await visit(page, exhibit, "?page=alerts")
    await expect(page.locator("#alerts-firing .summary")).to_have_text("<img src=x onerror=alert(1)>")


async def test_a_store_that_fails_is_said_on_the_page_of_alerts(
    page: Page, exhibit: Exhibit, complaints: list[str]
) -> None:
    await visit(page, exhibit, "?page=alerts")
    exhibit.failing = True
    exhibit.hub.publish("alert", "", "", b"{}")
    await expect(page.locator("#alerts-message")).to_contain_text("could not be loaded")
    exhibit.failing = False
    exhibit.hub.publish("alert", "", "", b"{}")
    await expect(page.locator("#alerts-message")).to_be_hidden()
    complaints.clear()  # The browser reports each answer that was an error.


async def test_a_phone_shows_alerts_without_scrolling_sideways(browser: Browser, exhibit: Exhibit) -> None:
    fire(exhibit, "a summary with a very long word " + "x" * 80)
    context = await browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = await context.new_page()
    await visit(page, exhibit, "?page=alerts")
    await page.locator("#alerts-firing summary").click()
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    controls = "[...document.querySelectorAll('button, .feed, .simulated, .alert')]"
    assert await page.evaluate(f"Math.max(...{controls}.map((one) => one.getBoundingClientRect().right))") <= 390
    await context.close()
