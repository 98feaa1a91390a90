"""Trades fetched by id prove what they fill in, wherever the span lies."""

import asyncio
from datetime import timedelta

import pytest
from marketdata.compute.coverage import union
from marketdata.errors import RemoteMalformed
from marketdata.exchanges.exchange import Request
from marketdata.jobs.exchange_past import TradePages
from marketdata.jobs.fill_by_trades import fill_by_trades
from marketdata.jobs.gap_writer import GapWriter
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1

from local.exchanges.tape import OPENING
from tests.unit.jobs.past_exchange import (
    BTC,
    LAST,
    MINUTE,
    QUIET,
    PastExchange,
    Rows,
    ago,
    empty_minutes,
    past_exchange,
    tape_candles,
)
from tests.unit.jobs.test_follow_live import figures
from tests.unit.local.exchanges.market import NOW, TAPE


async def filled(exchange: PastExchange, instrument: Instrument, span: Span, *, keep_trades: bool = False) -> GapWriter:
    """The span after one attempt."""
    writer = GapWriter(exchange.store, instrument, span, keep_trades=keep_trades)
    assert exchange.past.trades is not None
    pages = TradePages(exchange.past.get, exchange.past.trades, instrument.symbol)
    try:
        await asyncio.to_thread(fill_by_trades, exchange.store, writer, pages, span, lambda: True)
    finally:
        writer.flush()
    return writer


def stored(exchange: PastExchange, instrument: Instrument) -> list[Candle]:
    return exchange.store.candles(instrument, M1, start=None, end=None, limit=10_000)


def assert_true_to_the_tape(exchange: PastExchange, instrument: Instrument, span: Span) -> None:
    candles = stored(exchange, instrument)
    assert [figures(candle) for candle in candles] == tape_candles(instrument, span)
    assert all(candle.source is Source.PROVEN for candle in candles)


async def test_minutes_without_known_neighbours_are_found_by_time_and_proven() -> None:
    span = ago(60 * 24 * 90, minutes=3)
    async with past_exchange() as exchange:
        writer = await filled(exchange, BTC, span)
        assert_true_to_the_tape(exchange, BTC, span)
        assert writer.remaining == ()
        assert len(exchange.asked) < 25


async def test_a_proven_neighbour_says_where_to_begin() -> None:
    span = ago(0, minutes=3)
    async with past_exchange() as exchange:
        await filled(exchange, BTC, Span(span.end, span.end + MINUTE))
        exchange.asked.clear()
        await filled(exchange, BTC, span)
        assert_true_to_the_tape(exchange, BTC, Span(span.start, span.end + MINUTE))
        assert len(exchange.asked) <= 4


@pytest.mark.parametrize("keep_trades", [True, False])
async def test_the_trades_that_fill_a_span_are_kept_where_trades_are_kept(keep_trades: bool) -> None:
    span = ago(0, minutes=3)
    async with past_exchange() as exchange:
        await filled(exchange, BTC, span, keep_trades=keep_trades)
        kept = exchange.store.trades(BTC, Span(span.start - MINUTE, span.end + MINUTE), limit=10_000)
        assert [trade.id for trade in kept] == ([trade.id for trade in TAPE.trades("BTC-USD", span)] * keep_trades)


async def test_minutes_that_nobody_traded_in_are_empty_at_the_edges_too() -> None:
    whole = ago(0, minutes=120)
    quiet = union(empty_minutes(QUIET, whole))
    span = Span(quiet[0].start, quiet[-1].end)
    async with past_exchange() as exchange:
        writer = await filled(exchange, QUIET, span)
        assert_true_to_the_tape(exchange, QUIET, span)
        assert (writer.empty, writer.remaining) == (union(empty_minutes(QUIET, span)), ())


async def test_what_the_newest_trades_do_not_prove_yet_remains() -> None:
    span = Span(LAST, NOW.replace(second=0) + MINUTE)
    async with past_exchange() as exchange:
        writer = await filled(exchange, BTC, span)
        assert writer.remaining == (Span(span.end - MINUTE, span.end),)


async def test_the_time_before_the_first_trade_of_all_is_empty() -> None:
    span = Span(OPENING - timedelta(hours=2), OPENING + timedelta(minutes=2))
    async with past_exchange() as exchange:
        writer = await filled(exchange, BTC, span)
        assert writer.empty == (Span(span.start, OPENING),)
        assert_true_to_the_tape(exchange, BTC, Span(OPENING, span.end))
        assert writer.remaining == ()


async def test_a_page_that_skips_ids_is_asked_for_again() -> None:
    span = ago(0, minutes=3)
    async with past_exchange() as exchange:
        seen: set[Request] = set()

        def forgetful(request: Request, rows: Rows) -> Rows:
            fresh = request not in seen
            seen.add(request)
            return rows[3:10] + rows[400:] if fresh else rows

        exchange.lie = forgetful
        await filled(exchange, BTC, span)
        assert_true_to_the_tape(exchange, BTC, span)


async def test_a_few_ids_that_two_answers_do_not_have_do_not_exist() -> None:
    span = ago(0, minutes=2)
    gone = {trade_id for candle in tape_candles(BTC, span) for trade_id in [(candle.first_id or 0) + 5]}
    async with past_exchange() as exchange:
        exchange.lie = lambda _, rows: [row for row in rows if row["trade_id"] not in gone]
        writer = await filled(exchange, BTC, span)
        assert writer.remaining == ()
        counts = [(candle.trades or 0) + 1 for candle in stored(exchange, BTC)]
        assert counts == [candle.trades for candle in tape_candles(BTC, span)]


async def test_many_ids_that_answers_do_not_have_are_kept_from_us_and_prove_nothing() -> None:
    span = ago(0, minutes=4)
    middle = tape_candles(BTC, span)[2]
    first = middle.first_id or 0
    async with past_exchange() as exchange:
        exchange.lie = lambda _, rows: [row for row in rows if not first <= row["trade_id"] < first + 150]
        with pytest.raises(RemoteMalformed, match="are not given"):
            await filled(exchange, BTC, span)
        assert middle.open_time not in [candle.open_time for candle in stored(exchange, BTC)]


async def test_an_exchange_that_does_not_know_the_next_trade_yet_proves_nothing() -> None:
    span = ago(0, minutes=2)
    after = tape_candles(BTC, Span(span.end, span.end + MINUTE))[0]
    async with past_exchange() as exchange:
        exchange.store.put_candles([after])
        exchange.lie = lambda _, rows: [row for row in rows if row["trade_id"] < (after.first_id or 0) - 5]
        with pytest.raises(RemoteMalformed, match="is not known yet"):
            await filled(exchange, BTC, span)
        assert [candle.open_time for candle in stored(exchange, BTC)] == [after.open_time]


async def test_an_empty_page_proves_nothing() -> None:
    async with past_exchange() as exchange:
        exchange.lie = lambda _, rows: []
        with pytest.raises(RemoteMalformed):
            await filled(exchange, QUIET, ago(0, minutes=10))
        assert exchange.store.coverage(QUIET, M1, ago(0, minutes=10)).empty == ()


async def test_the_same_page_over_and_over_is_refused() -> None:
    async with past_exchange() as exchange:
        first: list[Rows] = []

        def stuck(_: Request, rows: Rows) -> Rows:
            first.append(rows)
            return first[0]

        exchange.lie = stuck
        with pytest.raises(RemoteMalformed, match="other ids"):
            await filled(exchange, BTC, ago(0, minutes=20))
