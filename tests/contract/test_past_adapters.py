"""Every adapter that can be asked for the past, over HTTP from a server of its protocols."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from marketdata.errors import RemoteError, RemoteMalformed, RemoteThrottled, RemoteUnavailable, RequestInvalid
from marketdata.exchanges.exchange import CandleHistory, Request
from marketdata.exchanges.registry import ADAPTERS
from marketdata.model.candle import Candle, Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe
from marketdata.net.rest import PacedBudget, Rest

from local.exchanges.products import Product
from tests.contract.adapter_wires import NOW, WIRES, Rig, rig

WITH_CANDLES = [name for name, adapter in ADAPTERS.items() if adapter.candle_history is not None]
every_history = pytest.mark.parametrize("exchange", WITH_CANDLES)
LAST = NOW.replace(second=0)
past_rig = partial(rig, past=True)
BTC = "BTC-USD"
QUIET = "ETH-BTC"
THIN = Product("BTC", "USD", Decimal(65_000), 2, Decimal(1), trades_a_minute=2)
"""Three weeks of it are soon drawn."""


def history(exchange: str) -> CandleHistory:
    make = ADAPTERS[exchange].candle_history
    assert make is not None
    return make(exchange)


def spelled(market: Rig, product: str) -> str:
    return WIRES[market.exchange].symbol_of(market.tape.products[product])


def fetched(market: Rig, product: str, timeframe: Timeframe, span: Span) -> list[Candle]:
    """What the exchange's own candles of a span are, by production code and real HTTP."""
    adapter, symbol = history(market.exchange), spelled(market, product)
    found: list[Candle] = []
    for request in adapter.candle_requests(symbol, timeframe, span):
        found += adapter.parse_candles(market.get(request), symbol, timeframe, market.clock.now())
    return [one for one in found if one.open_time in span]


def outline(candle: Candle) -> tuple[object, ...]:
    return candle.open_time, candle.open, candle.high, candle.low, candle.close, candle.volume


def truth(market: Rig, product: str, timeframe: Timeframe, span: Span) -> list[tuple[object, ...]]:
    """The same from the tape."""
    outlines = ((one.start, market.wire.outline(market.tape, product, one)) for one in buckets(timeframe, span))
    return [(opens, *outline) for opens, outline in outlines if outline]


def buckets(timeframe: Timeframe, span: Span) -> Iterator[Span]:
    start = span.start
    while start < span.end:
        yield Span(start, start + timeframe.duration)
        start += timeframe.duration


def timeframes(exchange: str) -> list[Timeframe]:
    """Those that the exchange offers as we cut them."""
    adapter, offered = history(exchange), []
    for timeframe in TIMEFRAMES:
        try:
            adapter.candle_requests("X", timeframe, Span(LAST - timeframe.duration, LAST))
        except RequestInvalid:
            continue
        offered.append(timeframe)
    return offered


@every_history
async def test_candles_are_what_was_traded_ranked_venue_and_oldest_first(exchange: str) -> None:
    span = Span(LAST - timedelta(minutes=400), LAST)
    async with past_rig(exchange) as market:
        found = await asyncio.to_thread(fetched, market, BTC, M1, span)
        assert [outline(one) for one in found] == truth(market, BTC, M1, span)
        assert {(one.source, one.exchange, one.symbol) for one in found} == {
            (Source.VENUE, exchange, spelled(market, BTC))
        }


@every_history
async def test_a_minute_without_trades_has_no_candle_and_none_is_made_up(exchange: str) -> None:
    span = Span(LAST - timedelta(minutes=250), LAST)
    async with past_rig(exchange) as market:
        found = await asyncio.to_thread(fetched, market, QUIET, M1, span)
        assert [outline(one) for one in found if one.volume] == truth(market, QUIET, M1, span)
        assert len(found) < 250 or any(not one.volume for one in found)


@every_history
async def test_every_timeframe_that_is_offered_is_cut_as_ours(exchange: str) -> None:
    async with past_rig(exchange, products=(THIN,)) as market:
        for timeframe in timeframes(exchange):
            end = timeframe.floor(LAST)
            span = Span(end - 3 * timeframe.duration, end)
            found = await asyncio.to_thread(fetched, market, BTC, timeframe, span)
            assert [outline(one) for one in found] == truth(market, BTC, timeframe, span), timeframe


@every_history
def test_the_smallest_timeframe_is_always_offered(exchange: str) -> None:
    assert M1 in timeframes(exchange)


@every_history
def test_a_span_costs_as_many_requests_as_the_limit_says(exchange: str) -> None:
    adapter = history(exchange)
    whole = adapter.candles_a_request
    for minutes, requests in ((1, 1), (whole, 1), (whole + 1, 2), (5 * whole, 5)):
        span = Span(LAST - timedelta(minutes=minutes), LAST)
        made = adapter.candle_requests("X", M1, span)
        assert (len(made), len(set(made))) == (requests, requests)


@every_history
async def test_a_fetch_of_days_stays_within_what_the_exchange_allows(exchange: str) -> None:
    adapter = history(exchange)
    span = Span(LAST - 40 * timedelta(minutes=min(adapter.candles_a_request, 300)), LAST)
    async with past_rig(exchange) as market:
        small = [
            Span(one.start, one.start + timedelta(minutes=5))
            for one in buckets(replace(M1, minutes=min(adapter.candles_a_request, 300)), span)
        ]
        for one in small:
            assert len(await asyncio.to_thread(fetched, market, BTC, M1, one)) == 5


@every_history
async def test_whoever_asks_faster_is_told_to_wait(exchange: str) -> None:
    async with past_rig(exchange) as market:
        rest = Rest(exchange, market.server.url, PacedBudget(1e6, 10**6, float), market.clock, sleep=lambda _: None)
        request = history(exchange).candle_requests(spelled(market, BTC), M1, Span(LAST - timedelta(minutes=1), LAST))[
            0
        ]
        try:
            with pytest.raises(RemoteThrottled) as told:
                await asyncio.to_thread(ask_often, rest, market.signed(request))
        finally:
            rest.close()
        assert told.value.retry_at > market.clock.now()


def ask_often(rest: Rest, request: Request) -> None:
    for _ in range(20_000):
        rest.get(request)


@every_history
async def test_an_exchange_that_is_shut_is_away_and_what_it_does_not_list_is_its_word(exchange: str) -> None:
    span = Span(LAST - timedelta(minutes=1), LAST)
    async with past_rig(exchange) as market:
        adapter = history(exchange)
        (unlisted,) = adapter.candle_requests("NOSUCHPAIR", M1, span)
        with pytest.raises(RemoteError) as refused:
            await asyncio.to_thread(market.get, unlisted)
        assert isinstance(refused.value, RemoteMalformed), "one bad symbol must not look like an exchange that is away"
        market.faults.refuse_connections(rest_too=True)
        (listed,) = adapter.candle_requests(spelled(market, BTC), M1, span)
        with pytest.raises(RemoteUnavailable):
            await asyncio.to_thread(market.get, listed)


@every_history
@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"[[]]", b"[1]", b'["error"]', b"\xff", b"[" * 5_000, b'{"a":'])
def test_an_answer_of_another_form_is_malformed(exchange: str, body: bytes) -> None:
    with pytest.raises(RemoteMalformed) as refused:
        history(exchange).parse_candles(body, "X", M1, NOW)
    assert refused.value.exchange == exchange


@pytest.mark.parametrize("exchange", [name for name, adapter in ADAPTERS.items() if adapter.trades_by_time])
async def test_trades_of_a_span_are_what_was_traded(exchange: str) -> None:
    make, span = ADAPTERS[exchange].trades_by_time, Span(LAST - timedelta(minutes=3), LAST)
    assert make is not None
    adapter = make(exchange)
    async with past_rig(exchange) as market:
        symbol = spelled(market, BTC)
        body = await asyncio.to_thread(market.get, adapter.trades_from(symbol, span))
        (told, *_) = [truth for _, truth in market.wire.feeds.values()]
        assert list(adapter.parse_trades(body, symbol).trades) == told(market.tape, BTC, span)
