"""The page in a real browser: what a visitor sees, and what he can do."""

from datetime import timedelta

import pytest
from marketdata.model.candle import Candle, Source
from marketdata.model.timeframe import M1, timeframe_named
from playwright.async_api import Browser, Page, expect

from tests.browser import market
from tests.browser.exhibit import Exhibit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MINUTE = timedelta(minutes=1)
M5 = timeframe_named("5m")


async def visit(page: Page, exhibit: Exhibit, query: str = "") -> None:
    """Open the page and wait for its first candle and its stream."""
    await page.goto(exhibit.address + query)
    await expect(page.locator("#legend .price").first).to_be_visible()
    await expect(page.locator("#feed")).not_to_have_attribute("data-state", "connecting")


def grouped(candle: Candle) -> str:
    return f"{candle.close:,.2f}"


async def test_the_first_candle_is_seen(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    await expect(page.locator("#price")).to_have_text(grouped(exhibit.last()))
    await expect(page.locator("#chart canvas").first).to_be_visible()
    await expect(page).to_have_title(f"{grouped(exhibit.last())} BTC-USD · Market Data Engine")


async def test_the_open_bar_moves_when_something_is_traded(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    before = await page.locator("#chart").screenshot()
    exhibit.publish(market.moved(exhibit.last(), "69999.99"))
    await expect(page.locator("#price")).to_have_text("69,999.99")
    await expect(page.locator("#legend")).to_contain_text("H 69,999.99")
    assert await page.locator("#chart").screenshot() != before


async def test_a_new_minute_begins_a_new_bar(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit, "?view=table")
    next_minute = exhibit.open_time + MINUTE
    exhibit.publish(market.first_of(market.SIMULATED, next_minute, "70123.45"))
    newest = page.locator("#table tbody tr").first
    await expect(newest).to_contain_text(f"{next_minute:%H:%M}")
    await expect(newest).to_contain_text("70,123.45")
    await expect(newest).to_contain_text("not complete")


async def test_a_closed_candle_says_how_it_is_proven(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    await expect(page.locator("#legend .incomplete")).to_have_text("not complete")
    closed = market.moved(exhibit.last(), "69500.00", source=Source.PROVEN)
    exhibit.publish(closed, closed=True)
    await expect(page.locator("#legend .source")).to_have_text("proven")


async def test_a_late_word_about_a_closed_candle_changes_nothing(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    exhibit.publish(market.moved(exhibit.last(), "69500.00", source=Source.PROVEN), closed=True)
    await expect(page.locator("#price")).to_have_text("69,500.00")
    stale = market.moved(exhibit.last(), "1.00", source=Source.PARTIAL)
    exhibit.publish(stale)
    exhibit.publish(market.first_of(market.SIMULATED, exhibit.open_time + MINUTE, "69501.00"))
    await expect(page.locator("#price")).to_have_text("69,501.00")
    await page.locator("#table-toggle").click()
    close = page.locator("#table tbody tr").nth(1).locator("td").nth(4)
    await expect(close).to_have_text("69,500.00")


async def test_a_corrected_candle_is_corrected_on_the_page(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit, "?view=table")
    old = exhibit.store.candles(market.SIMULATED, M1, start=None, end=None, limit=6, newest_first=True)[5]
    exhibit.publish(market.moved(old, "66666.66", source=Source.PROVEN), closed=True, revised=True)
    await expect(page.locator("#table tbody tr").nth(5)).to_contain_text("66,666.66")


async def test_simulated_data_is_called_so_wherever_it_is_shown(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    badge = page.locator("#simulated")
    await expect(badge).to_be_visible()
    await page.locator("#symbol").select_option(label="DOGE-EUR")
    await expect(badge).to_be_hidden()


async def test_the_timeframe_can_be_switched_and_is_in_the_address(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    await page.get_by_role("button", name="5m", exact=True).click()
    bucket = M5.floor(exhibit.open_time)
    await expect(page.locator("#legend .time")).to_contain_text(f"{bucket:%H:%M}")
    assert "timeframe=5m" in page.url
    await page.reload()
    await expect(page.get_by_role("button", name="5m", exact=True)).to_have_attribute("aria-pressed", "true")


async def test_the_symbol_can_be_switched_and_is_in_the_address(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    await page.locator("#symbol").select_option(label="ETH-USD")
    await expect(page.locator("#price")).to_have_text(grouped(exhibit.last("ETH-USD")))
    assert "symbol=ETH-USD" in page.url
    await page.reload()
    await expect(page.locator("#price")).to_have_text(grouped(exhibit.last("ETH-USD")))


async def test_a_timeframe_that_is_not_kept_cannot_be_chosen(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit, "?symbol=DOGE-EUR&timeframe=1h")
    await expect(page.get_by_role("button", name="1h", exact=True)).to_be_disabled()
    await expect(page.get_by_role("button", name="1m", exact=True)).to_have_attribute("aria-pressed", "true")


async def test_holes_are_counted_and_minutes_without_trades_are_none(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    await expect(page.locator("#condition")).to_contain_text("1 hole, 23 missing (found next scan)")
    await expect(page.locator("#condition")).to_contain_text("proven")
    await expect(page.locator("#condition")).to_contain_text("partial")


async def test_holes_that_nobody_has_looked_for_are_not_denied(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit, "?symbol=SOL-EUR")
    await expect(page.locator("#condition")).to_contain_text("holes not judged yet")


async def test_the_feed_says_how_it_is(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    feed = page.locator("#feed")
    await expect(feed).to_have_attribute("data-state", "live")
    shapes = set()
    for state in ("live", "stale", "down"):
        exhibit.say(state)
        await expect(feed).to_have_attribute("data-state", state)
        shapes.add(await page.locator("#feed-shape").get_attribute("d"))
    assert len(shapes) == 3
    await page.locator("#symbol").select_option(label="DOGE-EUR")
    await expect(feed).to_have_attribute("data-state", "unknown")


async def test_after_the_stream_was_dropped_nothing_is_missing(
    page: Page, exhibit: Exhibit, complaints: list[str]
) -> None:
    await visit(page, exhibit, "?view=table")
    exhibit.publish(market.moved(exhibit.last(), "69100.00"))
    await expect(page.locator("#price")).to_have_text("69,100.00")
    exhibit.drop_streams()
    # While nobody listens one minute closes and the next begins; the page has not been told of either.
    exhibit.publish(market.moved(exhibit.last(), "69200.00", source=Source.PROVEN), closed=True)
    exhibit.publish(market.first_of(market.SIMULATED, exhibit.open_time + MINUTE, "69300.00"))
    await expect(page.locator("#price")).to_have_text("69,300.00")
    await expect(page.locator("#table tbody tr").nth(1)).to_contain_text("69,200.00")
    first, again = exhibit.resumed_from
    assert first is None
    assert again is not None
    complaints.clear()  # The browser reports the cut itself.


async def test_a_stream_of_another_epoch_makes_the_page_load_afresh(
    page: Page, exhibit: Exhibit, complaints: list[str]
) -> None:
    await visit(page, exhibit)
    exhibit.store.put_candles([market.moved(exhibit.last(), "68888.88", source=Source.PROVEN)])
    await exhibit.restart()
    await expect(page.locator("#price")).to_have_text("68,888.88")
    complaints.clear()


@pytest.mark.parametrize("timeframe", ["5m", "1h", "1w"])
async def test_a_coarse_open_bar_is_exactly_its_minutes(page: Page, exhibit: Exhibit, timeframe: str) -> None:
    await visit(page, exhibit, f"?timeframe={timeframe}")
    bucket = timeframe_named(timeframe).floor(exhibit.open_time)
    exhibit.publish(market.moved(exhibit.last(), "69000.01"))
    minutes = exhibit.store.candles(market.SIMULATED, M1, start=bucket, end=None, limit=10_000)
    minutes[-1] = market.moved(minutes[-1], "69000.01")
    high, low = max(one.high for one in minutes), min(one.low for one in minutes)
    legend = page.locator("#legend")
    await expect(legend).to_contain_text("C 69,000.01")
    await expect(legend).to_contain_text(f"O {minutes[0].open:,.2f}")
    await expect(legend).to_contain_text(f"H {high:,.2f}")
    await expect(legend).to_contain_text(f"L {low:,.2f}")
    await expect(legend).to_contain_text(f"Trades {sum(one.trades or 0 for one in minutes):,}")


async def test_a_new_coarse_bucket_begins_a_new_bar(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit, "?timeframe=5m&view=table")
    bucket = M5.floor(exhibit.open_time) + 5 * MINUTE
    exhibit.publish(market.first_of(market.SIMULATED, bucket, "70500.00"))
    newest = page.locator("#table tbody tr").first
    await expect(newest).to_contain_text(f"{bucket:%H:%M}")
    exhibit.publish(market.first_of(market.SIMULATED, bucket + MINUTE, "70700.00"))
    await expect(newest).to_contain_text("70,700.00")
    await expect(newest.locator("td").nth(1)).to_have_text("70,500.00")


async def test_older_candles_come_as_one_goes_back(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    await page.locator("#chart").hover()
    for _ in range(60):
        await page.mouse.wheel(-3_000, 0)
    await expect(page.locator("#condition")).to_contain_text("1,4")
    await expect(page.locator("#now")).to_be_visible()
    await page.locator("#now").click()
    await expect(page.locator("#now")).to_be_hidden()


async def test_everything_can_be_done_from_the_keyboard(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    await page.keyboard.press("4")
    await expect(page.get_by_role("button", name="1h", exact=True)).to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("1")
    await page.keyboard.press("]")
    await expect(page.locator("#price")).to_have_text(grouped(exhibit.last("ETH-USD")))
    await page.keyboard.press("[")
    await expect(page.locator("#price")).to_have_text(grouped(exhibit.last()))
    await page.keyboard.press("?")
    await expect(page.locator("#keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#keys")).to_be_hidden()
    await page.keyboard.press("v")
    await expect(page.locator("#table")).to_be_visible()
    await page.keyboard.press("v")
    await expect(page.locator("#table")).to_be_hidden()


async def test_the_theme_follows_the_key_and_is_kept(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    for theme in ("dark", "light"):
        await page.keyboard.press("t")
        await expect(page.locator("html")).to_have_attribute("data-theme", theme)
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")


async def test_candles_are_read_one_by_one_with_the_arrow_keys(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    newest = exhibit.store.candles(market.SIMULATED, M1, start=None, end=None, limit=2, newest_first=True)
    await page.locator("#chart").focus()
    reading = page.locator("#reading")
    for candle in newest:
        await page.keyboard.press("ArrowLeft")
        await expect(reading).to_contain_text(f"{candle.open_time:%H:%M} UTC: open {candle.open:,.2f}")
    await page.keyboard.press("ArrowRight")
    await expect(reading).to_contain_text(f"{newest[0].open_time:%H:%M} UTC")


async def test_times_are_utc_until_local_time_is_asked_for(browser: Browser, exhibit: Exhibit) -> None:
    context = await browser.new_context(timezone_id="Asia/Kolkata")
    page = await context.new_page()
    await visit(page, exhibit)
    await expect(page.locator("#legend .time")).to_contain_text(f"{exhibit.open_time:%H:%M}")
    await page.keyboard.press("z")
    local = exhibit.open_time + timedelta(hours=5, minutes=30)
    await expect(page.locator("#legend .time")).to_contain_text(f"{local:%H:%M}")
    assert "zone=local" in page.url
    await context.close()


@pytest.mark.parametrize("query", ["", "?view=table", "?symbol=DOGE-EUR", "?timeframe=1w"])
async def test_a_phone_shows_it_without_scrolling_sideways(browser: Browser, exhibit: Exhibit, query: str) -> None:
    context = await browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = await context.new_page()
    await visit(page, exhibit, query)
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    controls = "[...document.querySelectorAll('button, dd, output, .feed, .simulated')]"
    assert await page.evaluate(f"Math.max(...{controls}.map((one) => one.getBoundingClientRect().right))") <= 390
    await context.close()


async def test_a_store_that_fails_is_said_and_asked_again(page: Page, exhibit: Exhibit, complaints: list[str]) -> None:
    exhibit.failing = True
    await page.goto(exhibit.address)
    await expect(page.locator("#message")).to_contain_text("store")
    exhibit.failing = False
    await expect(page.locator("#price")).to_have_text(grouped(exhibit.last()))
    await expect(page.locator("#message")).to_be_hidden()
    complaints.clear()  # The browser reports each answer that was an error.


async def test_the_average_stops_at_holes(page: Page, exhibit: Exhibit) -> None:
    await visit(page, exhibit)
    means: list[float | None] = await page.evaluate(
        """async () => {
            const { movingAverage } = await import('/candles.js');
            const closes = [...Array(12).keys(), ...Array(11).keys()];
            const candles = closes.map((close, index) => ({ time: 60 * (index + (index < 12 ? 0 : 1)), close }));
            return movingAverage(candles, 10, '1m');
        }"""
    )
    assert means == [None] * 9 + [4.5, 5.5, 6.5] + [None] * 9 + [4.5, 5.5]
