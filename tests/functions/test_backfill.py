"""The scheduled mover, from its event to the exchange's REST over HTTP."""

import asyncio
from datetime import timedelta

from marketdata.clock import SystemClock
from marketdata.model.gap import GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.wiring import fill_settings

from functions.backfill.handler import application
from tests.functions.calls import context, settings
from tests.market import a_store
from tests.unit.jobs.past_exchange import BTC, MINUTE
from tests.unit.local.exchanges.market import simulator


async def test_the_schedule_fills_gaps_and_gets_its_counts() -> None:
    clock, store = SystemClock(), a_store()
    store.put_instruments([BTC])
    end = M1.floor(clock.now()) - 5 * MINUTE
    store.record_gaps(BTC, M1, [Span(end - 2 * MINUTE, end)], cause="scan", found_at=clock.now())
    async with simulator(clock) as exchange:
        backfill = application(store, settings(COINBASE_REST_URL=exchange.url), clock)
        event = {"job": "backfill", "time": "2026-08-09T12:00:00Z"}
        answered = await asyncio.to_thread(backfill, event, context())
    assert (answered["status"], answered["trigger"]) == ("success", "schedule")
    assert (answered["result"]["filled"], answered["result"]["candles"]) == (1, 2)
    assert [gap.state for gap in store.gaps(limit=10)] == [GapState.FILLED]


def test_a_simulated_exchange_is_never_asked_for_at_the_real_ones_address() -> None:
    clock, store = SystemClock(), a_store()
    end = M1.floor(clock.now()) - 5 * MINUTE
    simulated: Instrument = BTC
    store.put_instruments([simulated])
    store.record_gaps(simulated, M1, [Span(end - MINUTE, end)], cause="scan", found_at=clock.now())
    answered = application(store, settings(FEED_EXCHANGES=simulated.exchange), clock)({}, context())
    assert answered["result"]["claimed"] == 0


def test_an_exchange_that_is_not_followed_is_not_asked() -> None:
    clock, store = SystemClock(), a_store()
    end = M1.floor(clock.now()) - 5 * MINUTE
    store.put_instruments([BTC])
    store.record_gaps(BTC, M1, [Span(end - MINUTE, end)], cause="scan", found_at=clock.now())
    known = settings(FEED_EXCHANGES="coinbase", COINBASE_REST_URL="http://127.0.0.1:9")
    assert application(store, known, clock)({}, context())["result"]["claimed"] == 0


def test_how_gaps_are_filled_is_a_setting() -> None:
    shipped, own = (
        fill_settings(settings()),
        fill_settings(settings(BACKFILL_TRADE_HOURS="2", BACKFILL_ATTEMPTS_MAX="3", KEEP_TICKS="0")),
    )
    assert (shipped.trade_span_max, shipped.tries_max) == (timedelta(hours=6), 8)
    assert (own.trade_span_max, own.tries_max) == (timedelta(hours=2), 3)
    assert (shipped.keep_trades, own.keep_trades) == (True, False)
