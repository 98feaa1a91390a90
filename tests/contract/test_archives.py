"""Every archive source of the registry, through the production HTTP client, from a server that speaks its wire form."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from marketdata.clock import FakeClock
from marketdata.compute.fold_columns import fold_columns
from marketdata.errors import (
    NotFound,
    RemoteAbsent,
    RemoteBlocked,
    RemoteMalformed,
    RemoteThrottled,
    RemoteUnavailable,
    RequestInvalid,
)
from marketdata.exchanges.archives import ARCHIVES, archive_source
from marketdata.exchanges.exchange import ArchiveFile, TickArchive
from marketdata.model.candle import Source
from marketdata.model.quote import PriceSide
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import EPOCH, nanoseconds
from marketdata.net.rest import PacedBudget, Rest

from local.exchanges.coinbase import Simulator
from local.exchanges.dukascopy import ArchiveFaults, DukascopyArchive
from local.exchanges.quotes import QuoteMarket

SOURCES = [(exchange, source) for exchange, sources in ARCHIVES.items() for source in sources]
PREFIXES = {"classic": "/datafeed", "json": "/v1"}
DAY = Span(datetime(2024, 3, 31, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC))
"""The last day of a month, so that a month counted wrongly shows."""
HOUR = Span(DAY.start + timedelta(hours=13), DAY.start + timedelta(hours=14))
MARKET = QuoteMarket(5, ticks_an_hour=400)


class Rig:
    """One source and its server."""

    def __init__(self, archive: TickArchive, rest: Rest, faults: ArchiveFaults) -> None:
        self.archive = archive
        self.faults = faults
        self._rest = rest

    async def body(self, file: ArchiveFile) -> bytes:
        return await asyncio.to_thread(self._rest.get, file.request)


@contextlib.asynccontextmanager
async def rig(exchange: str, source: str) -> AsyncIterator[Rig]:
    faults = ArchiveFaults()
    async with Simulator(DukascopyArchive(MARKET, faults).application()) as server:
        clock, budget = FakeClock(DAY.end), PacedBudget(1e6, 1_000, lambda: 0.0)
        rest = Rest(exchange, server.url + PREFIXES[source], budget, clock, sleep=lambda _seconds: None)
        try:
            yield Rig(archive_source(exchange, source).make(exchange), rest, faults)
        finally:
            rest.close()


@pytest.mark.parametrize(("exchange", "source"), SOURCES)
async def test_ticks_are_those_of_the_market_exactly(exchange: str, source: str) -> None:
    async with rig(exchange, source) as made:
        (file,) = made.archive.tick_files("EURUSD", HOUR)
        quotes = made.archive.parse_ticks(await made.body(file), file).quotes()
    expected = MARKET.hour("EURUSD", HOUR.start)
    assert [(quote.time_ns - nanoseconds(HOUR.start)) // 10**6 for quote in quotes] == [
        tick.milliseconds for tick in expected
    ]
    assert [quote.bid for quote in quotes] == [Decimal(tick.bid).scaleb(-5) for tick in expected]
    assert [quote.ask for quote in quotes] == [Decimal(tick.ask).scaleb(-5) for tick in expected]
    assert [quote.bid_size for quote in quotes] == [tick.bid_size for tick in expected]
    assert {quote.symbol for quote in quotes} == {"EURUSD"}


@pytest.mark.parametrize("side", [PriceSide.BID, PriceSide.ASK])
@pytest.mark.parametrize(("exchange", "source"), SOURCES)
async def test_candles_are_what_the_ticks_of_the_day_make(exchange: str, source: str, side: PriceSide) -> None:
    async with rig(exchange, source) as made:
        (file,) = made.archive.candle_files("EURUSD", M1, side, DAY)
        candles = [
            candle
            for candle in made.archive.parse_candles(await made.body(file), file, EPOCH)
            if not made.archive.is_flat(candle)
        ]
        folded = []
        for one in made.archive.tick_files("EURUSD", DAY):
            columns = made.archive.parse_ticks(await made.body(one), one)
            folded += fold_columns(columns, exchange, candles[0].symbol, side, Source.VENUE)
    assert [(one.open_time, one.open, one.high, one.low, one.close) for one in candles] == [
        (one.open_time, one.open, one.high, one.low, one.close) for one in folded
    ]
    assert {(one.source, one.trades, one.quote_volume) for one in candles} == {(Source.VENUE, None, None)}
    assert all(
        abs(one.volume - other.volume) <= other.volume / 10**6 for one, other in zip(candles, folded, strict=True)
    )


@pytest.mark.parametrize(("exchange", "source"), SOURCES)
async def test_what_goes_wrong_says_whose_move_it_is(exchange: str, source: str) -> None:
    async with rig(exchange, source) as made:
        (file,) = made.archive.tick_files("EURUSD", HOUR)
        path = file.request.path
        for status, kind in (
            (404, RemoteAbsent),
            (503, RemoteUnavailable),
            (429, RemoteThrottled),
            (403, RemoteBlocked),
            (400, RemoteMalformed),
        ):
            made.faults.once(path, status)
            with pytest.raises(kind):
                await made.body(file)
        body = await made.body(file)
        made.faults.once(path, 200, body[: len(body) // 2])
        cut = await made.body(file)
        with pytest.raises(RemoteMalformed, match=r"EURUSD|EUR-USD"):
            made.archive.parse_ticks(cut, file)


@pytest.mark.parametrize(("exchange", "source"), SOURCES)
def test_files_cover_a_span_without_overlap_and_lie_apart(exchange: str, source: str) -> None:
    archive = archive_source(exchange, source).make(exchange)
    files = archive.tick_files("EURUSD", Span(HOUR.start - timedelta(minutes=1), HOUR.end + timedelta(minutes=1)))
    assert [file.span.start.hour for file in files] == [12, 13, 14]
    assert len({file.place for file in files}) == len({file.request.path for file in files}) == 3
    with pytest.raises(NotFound):
        archive.tick_files("NOSUCH", HOUR)


def test_an_archive_or_source_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(RequestInvalid, match="dukascopy has"):
        archive_source("coinbase", "classic")
    with pytest.raises(RequestInvalid, match="classic, json"):
        archive_source("dukascopy", "paper")
