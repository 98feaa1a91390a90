"""Several connections of one exchange look like one stream, and the break of one is told of its symbols alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from marketdata.exchanges.bitfinex import BitfinexTrades
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.model.candle import Source
from marketdata.model.events import Disconnected, Subscribed
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade
from marketdata.net.stream import Stream
from marketdata.net.streams import CONNECTIONS_MAX, Streams, live_stream

from local.exchanges.products import Product
from tests.contract.adapter_wires import HASTY, Rig, rig
from tests.market import at

MANY = tuple(Product(f"A{number:02}", "USD", Decimal(100), 2, Decimal(1), trades_a_minute=60) for number in range(20))
ALL = [f"tA{number:02}USD" for number in range(20)]


@contextlib.asynccontextmanager
async def streams(symbols_max: int) -> AsyncIterator[tuple[Rig, Streams]]:
    """A stream of twenty symbols, so many on each connection, running."""
    async with rig("bitfinex", products=MANY) as market:
        live = BitfinexTrades(market.server.websocket_url("/ws/2"))
        stream = Streams(live, lambda: Stream(live, clock=market.clock, patience=HASTY), symbols_max)
        task = asyncio.create_task(stream.run(market.events.extend))
        try:
            yield market, stream
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_acknowledgements_and_status_are_of_all_connections_together() -> None:
    async with streams(6) as (market, stream):
        assert stream.status.state == "connecting"
        stream.follow(ALL)
        await market.until(lambda: market.flowing() == set(ALL) and stream.status.state == "live")
        assert stream.status.subscribed == set(ALL)
        assert (stream.status.connects, stream.status.refused, stream.status.detail) == (1, "", "")


async def test_a_symbol_keeps_its_connection_when_others_come_and_go() -> None:
    async with streams(6) as (market, stream):
        stream.follow(ALL[:12])
        await market.until(lambda: market.flowing() == set(ALL[:12]))
        stream.follow(ALL[3:15])
        await market.until(lambda: market.flowing() == set(ALL[3:15]))
        assert market.breaks() == []
        market.faults.cut_connections()
        await market.until(lambda: len(market.breaks()) == 2)
        assert {one.symbols for one in market.breaks()} == {
            frozenset([*ALL[3:6], *ALL[12:15]]),
            frozenset(ALL[6:12]),
        }


async def test_what_no_connection_has_room_for_is_refused_by_name_and_the_rest_is_followed() -> None:
    async with streams(1) as (market, stream):
        stream.follow(ALL)
        await market.until(lambda: market.flowing() == set(ALL[:CONNECTIONS_MAX]))
        assert all(symbol in stream.status.refused for symbol in ALL[CONNECTIONS_MAX:])
        stream.follow(ALL[4:])
        await market.until(lambda: market.flowing() == set(ALL[4:]))
        assert stream.status.refused == ""


@pytest.mark.slow
async def test_every_connection_is_renewed_without_a_break_and_a_symbol_resubscribed_where_it_is() -> None:
    async with streams(10) as (market, stream):
        stream.follow(ALL)
        await market.until(lambda: market.flowing() == set(ALL))
        stream.resubscribe(ALL[0])
        await market.until(lambda: any(ALL[0] not in one.symbols for one in said(market)[-3:]))
        await market.until(lambda: market.flowing() == set(ALL))
        stream.renew()
        await market.until(lambda: stream.status.cuts == 2)
        assert market.breaks() == []


def said(market: Rig) -> list[Subscribed]:
    return [one for one in market.events if isinstance(one, Subscribed)]


async def test_an_exchange_without_a_bound_has_one_connection_and_others_have_none_before_it_is_needed() -> None:
    async with rig("coinbase") as market:
        assert isinstance(market.stream("exchange"), Stream)
    bounded = live_stream(BitfinexTrades("ws://127.0.0.1:9"), lambda: pytest.fail("made before it is needed"))
    assert isinstance(bounded, Streams)


async def test_the_break_of_one_connection_leaves_the_minutes_of_the_others_whole() -> None:
    async with rig("bitfinex") as market:
        followed = FollowedExchange(market.stream("trades"), keep_trades=False, trades_max=10)
        followed.know(["tBTCUSD", "tETHUSD"])
        followed.handle([Subscribed(("tBTCUSD", "tETHUSD"))])
        for clock in ("12:00:30", "12:01:30"):
            followed.handle([a_trade("tBTCUSD", clock), a_trade("tETHUSD", clock)])
        followed.handle([Disconnected("cut", frozenset(["tBTCUSD"]))])
        followed.handle([a_trade("tBTCUSD", "12:02:30"), a_trade("tETHUSD", "12:02:30")])
        minutes = {symbol: [one.candle.source for one in bars.take()] for symbol, bars in followed.bars.items()}
        assert minutes["tBTCUSD"] == [Source.PARTIAL, Source.PARTIAL, Source.PARTIAL]
        assert minutes["tETHUSD"] == [Source.PARTIAL, Source.LIVE, Source.PARTIAL]


def a_trade(symbol: str, clock: str) -> Trade:
    time_ns = nanoseconds(at(clock))
    return Trade(symbol, time_ns, time_ns, Decimal(10), Decimal(1), Side.BUY)
