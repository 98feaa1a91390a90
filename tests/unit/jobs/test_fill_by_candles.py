"""The exchange's own candles fill what trades do not, and their absence is believed only where it may be."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from marketdata.compute.coverage import union
from marketdata.errors import RemoteThrottled
from marketdata.exchanges.exchange import Request
from marketdata.jobs.fill_by_candles import CandleFill
from marketdata.jobs.gap_writer import GapWriter
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1

from local.exchanges.tape import OPENING
from tests.unit.jobs.past_exchange import (
    BTC,
    DOGE,
    LAST,
    MINUTE,
    QUIET,
    PastExchange,
    Rows,
    ago,
    empty_minutes,
    outline,
    past_exchange,
    tape_candles,
    tape_outlines,
)
from tests.unit.local.exchanges.market import NOW


async def filled(
    exchange: PastExchange, instrument: Instrument, span: Span, go_on: Callable[[], bool] = lambda: True
) -> GapWriter:
    """The span after one attempt."""
    writer = GapWriter(exchange.store, instrument, span)
    fill = CandleFill(exchange.store, writer, exchange.past, exchange.clock, grace=MINUTE, go_on=go_on)
    try:
        await asyncio.to_thread(fill.fill, span)
    finally:
        writer.flush()
    return writer


def stored(exchange: PastExchange, instrument: Instrument) -> list[Candle]:
    return exchange.store.candles(instrument, M1, start=None, end=None, limit=10_000)


def without_trade_ids(exchange: PastExchange) -> None:
    exchange.past = replace(exchange.past, trades=None)


def candles_only(lie: Callable[[Rows], Rows]) -> Callable[[Request, Rows], Rows]:
    """A lie about candles; of trades the truth is told."""
    return lambda request, rows: lie(rows) if request.path.endswith("candles") else rows


async def test_days_are_filled_with_the_exchanges_candles_a_request_for_300_minutes() -> None:
    span = ago(0, minutes=2 * 1440)
    async with past_exchange() as exchange:
        writer = await filled(exchange, BTC, span)
        assert [outline(one) for one in stored(exchange, BTC)] == tape_outlines(BTC, span)
        assert {one.source for one in stored(exchange, BTC)} == {Source.VENUE}
        assert (writer.remaining, len(exchange.asked)) == ((), 10)


async def test_missing_rows_of_a_quiet_market_are_asked_for_twice_and_then_empty() -> None:
    span = ago(0, minutes=600)
    async with past_exchange() as exchange:
        writer = await filled(exchange, QUIET, span)
        assert (writer.empty, writer.remaining) == (union(empty_minutes(QUIET, span)), ())
        assert len(exchange.paths("candles")) == 4


async def test_a_row_that_one_answer_lost_is_taken_from_the_other() -> None:
    span = ago(0, minutes=60)
    async with past_exchange() as exchange:
        without_trade_ids(exchange)
        exchange.lie = lambda _, rows: rows[:20] + rows[40:] if len(exchange.asked) == 1 else rows
        writer = await filled(exchange, BTC, span)
        assert (writer.empty, writer.remaining) == ((), ())


@pytest.mark.long
@pytest.mark.slow
async def test_silence_that_only_one_answer_shows_between_its_rows_is_not_believed() -> None:
    span = ago(0, minutes=300)
    async with past_exchange() as exchange:

        def lose_one_then_most(rows: Rows) -> Rows:
            middle = len(rows) // 2
            return rows[:middle] + rows[middle + 1 :] if len(exchange.paths("candles")) == 1 else rows[:3]

        exchange.lie = candles_only(lose_one_then_most)
        writer = await filled(exchange, QUIET, span)
        assert (writer.empty, writer.remaining) == (union(empty_minutes(QUIET, span)), ())


async def test_candles_of_a_busy_market_that_the_exchange_lost_are_made_from_its_trades() -> None:
    span = ago(0, minutes=60)
    async with past_exchange() as exchange:
        exchange.lie = candles_only(lambda rows: rows[:20] + rows[22:])
        writer = await filled(exchange, BTC, span)
        assert (writer.empty, writer.remaining) == ((), ())
        assert [one.source for one in stored(exchange, BTC)].count(Source.PROVEN) == 2


@pytest.mark.slow
async def test_one_search_after_another_begins_where_the_last_one_was() -> None:
    span = ago(60 * 24 * 90, minutes=900)
    async with past_exchange() as exchange:
        exchange.lie = candles_only(lambda rows: [row for index, row in enumerate(rows) if index % 60 != 30])
        writer = await filled(exchange, BTC, span)
        assert (writer.empty, writer.remaining) == ((), ())
        # Fifteen minutes lost: a first search through three months, and then a few pages each.
        assert len(exchange.paths("trades")) < 90


def opens(row: list[float]) -> float:
    return row[0] - ago(0, minutes=30).start.timestamp()


@pytest.mark.parametrize(
    "lie",
    [
        lambda rows: [],
        lambda rows: [row for row in rows if opens(row) >= 600],
        lambda rows: [row for row in rows if opens(row) < 1_200],
    ],
)
async def test_an_empty_or_truncated_answer_says_nothing_of_what_it_lacks(lie: Callable[[Rows], Rows]) -> None:
    span = ago(0, minutes=30)
    async with past_exchange() as exchange:
        without_trade_ids(exchange)
        exchange.lie = candles_only(lie)
        writer = await filled(exchange, BTC, span)
        exchange.store.roll_up()
        assert exchange.store.coverage(BTC, M1, span).empty == ()
        assert sum(((one.end - one.start) for one in writer.remaining), timedelta()) >= timedelta(minutes=10)
        assert writer.notes


async def test_a_minute_of_which_trades_are_stored_is_never_marked_empty() -> None:
    span = ago(0, minutes=60)
    doubted = tape_candles(DOGE, span)[30]
    part = replace(doubted, source=Source.PARTIAL)
    async with past_exchange() as exchange:
        without_trade_ids(exchange)
        exchange.store.put_candles([part])
        opens = int(part.open_time.timestamp())
        exchange.lie = candles_only(lambda rows: [row for row in rows if row[0] != opens])
        writer = await filled(exchange, DOGE, span)
        assert writer.remaining == (Span(part.open_time, part.close_time),)
        assert "some were seen" in writer.notes[0]


async def test_a_candle_that_may_still_grow_is_not_taken() -> None:
    span = Span(LAST, NOW.replace(second=0) + MINUTE)
    async with past_exchange() as exchange:
        without_trade_ids(exchange)
        writer = await filled(exchange, BTC, span)
        assert writer.remaining == (Span(span.end - 2 * MINUTE, span.end),)


@pytest.mark.slow
async def test_all_the_time_before_the_first_trade_of_all_costs_one_search() -> None:
    span = Span(OPENING - timedelta(days=300), OPENING + timedelta(minutes=30))
    async with past_exchange() as exchange:
        writer = await filled(exchange, BTC, span)
        assert (writer.empty, writer.remaining) == ((Span(span.start, OPENING),), ())
        assert len(exchange.asked) < 60


async def test_a_window_that_the_exchange_garbles_does_not_keep_the_older_ones_from_us() -> None:
    span = ago(0, minutes=900)
    async with past_exchange() as exchange:
        exchange.lie = lambda _, rows: ["nonsense"] if len(exchange.asked) == 1 else rows
        writer = await filled(exchange, BTC, span)
        assert writer.remaining == (Span(span.end - timedelta(minutes=300), span.end),)
        assert "nonsense" in writer.notes[0]


async def test_what_came_before_the_exchange_asked_for_silence_is_kept() -> None:
    span = ago(0, minutes=900)
    async with past_exchange() as exchange:

        def throttle(request: Request, rows: Rows) -> Rows:
            if len(exchange.asked) > 1:
                raise RemoteThrottled("coinbase-simulated", "HTTP 429", exchange.clock.now())
            return rows

        exchange.lie = throttle
        with pytest.raises(RemoteThrottled):
            await filled(exchange, BTC, span)
        assert len(stored(exchange, BTC)) == 300


# A candle that cannot be


def poisoned(span: Span, minute: int) -> Callable[[Request, Rows], Rows]:
    """One row of the answers is impossible: its low is above its high."""
    opens = int((span.start + minute * MINUTE).timestamp())
    return candles_only(lambda rows: [[row[0], row[2], row[1], *row[3:]] if row[0] == opens else row for row in rows])


async def test_an_impossible_candle_costs_itself_and_is_made_from_trades() -> None:
    span = ago(0, minutes=60)
    async with past_exchange() as exchange:
        exchange.lie = poisoned(span, 20)
        writer = await filled(exchange, BTC, span)
        assert (writer.empty, writer.remaining) == ((), ())
        assert [one.source for one in stored(exchange, BTC)].count(Source.VENUE) == 59
        assert "impossible" in writer.notes[0]


async def test_an_impossible_candle_that_no_trades_replace_stays_missing_with_its_excerpt() -> None:
    span = ago(0, minutes=60)
    bad = Span(span.start + 20 * MINUTE, span.start + 21 * MINUTE)
    async with past_exchange() as exchange:
        without_trade_ids(exchange)
        exchange.lie = poisoned(span, 20)
        writer = await filled(exchange, BTC, span)
        assert (writer.empty, writer.remaining) == ((), (bad,))
        assert str(int(bad.start.timestamp())) in writer.notes[0]


@pytest.mark.slow
async def test_a_quiet_market_is_not_believed_silent_in_the_minute_of_an_impossible_candle() -> None:
    span = ago(0, minutes=600)
    traded = [one[0] for one in tape_outlines(QUIET, span)]
    async with past_exchange() as exchange:
        minute = (traded[len(traded) // 2] - span.start) // MINUTE  # type: ignore[operator]
        exchange.lie = poisoned(span, minute)
        writer = await filled(exchange, QUIET, span)
        assert (writer.empty, writer.remaining) == (union(empty_minutes(QUIET, span)), ())
