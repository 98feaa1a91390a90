"""Every live adapter against a server of its protocol: what was traded is heard, exactly, whatever else is said."""

import asyncio
import logging
from collections.abc import Sequence
from decimal import Decimal

import pytest
from marketdata.exchanges.registry import ADAPTERS, live_trades
from marketdata.model.events import CutAnnounced
from marketdata.model.quote import Quote
from marketdata.model.trade import Trade

from local.exchanges.products import Product
from tests.contract.adapter_wires import FEEDS, FEEDS_OF_TRADES, WIRES, Rig, Told, number, rig

every_feed = pytest.mark.parametrize(("exchange", "feed"), FEEDS)


def in_order(told: Sequence[Told]) -> list[Told]:
    """Each once, by id or time."""
    return [one for _, one in sorted({number(one): one for one in told}.items())]


def busiest(exchange: Rig) -> str:
    """The symbol that trades most."""
    return max(exchange.symbols, key=lambda one: exchange.tape.products[exchange.symbols[one]].trades_a_minute)


def test_every_adapter_of_the_registry_has_a_server_that_speaks_its_protocols() -> None:
    assert set(WIRES) == set(ADAPTERS)
    assert [(exchange, feed) for exchange, wire in WIRES.items() for feed in wire.feeds] == FEEDS


@every_feed
async def test_what_is_heard_is_exactly_what_was_traded(exchange: str, feed: str) -> None:
    async with rig(exchange) as market:
        symbols = list(market.symbols)[:3]
        async with market.following(feed, *symbols):
            await market.until(lambda: len(market.told()) > 300 and market.flowing() >= set(symbols))
        for symbol in symbols:
            heard = in_order(market.told(symbol))
            told = market.truth(feed, symbol, heard[0])
            assert heard == told[: len(heard)], symbol
            assert len(told) - len(heard) < 50, symbol


@every_feed
async def test_each_trade_of_a_healthy_connection_counts_once(exchange: str, feed: str) -> None:
    async with rig(exchange) as market, market.following(feed, busiest(market)):
        await market.until(lambda: len(market.told()) > 200)
        numbers = [number(one) for one in market.told()]
        assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize(("exchange", "feed"), FEEDS_OF_TRADES)
async def test_ids_are_contiguous_exactly_where_the_registry_says_so(exchange: str, feed: str) -> None:
    async with rig(exchange) as market:
        symbol = busiest(market)
        live = live_trades(exchange, feed)
        assert live.ids_contiguous is ADAPTERS[exchange].ids_contiguous
        async with market.following(feed, symbol):
            await market.until(lambda: len(market.trades(symbol)) > 100)
        trades = sorted(market.trades(symbol), key=number)
        between, counted = trades[-1].id - trades[0].id, sum(one.count for one in trades)
        # An aggregate may be called by its first id or by its last.
        runs = counted in (between + trades[0].count, between + trades[-1].count)
        assert runs is live.ids_contiguous


@every_feed
async def test_after_a_broken_connection_the_break_is_told_and_trades_flow_again(exchange: str, feed: str) -> None:
    async with rig(exchange) as market, market.following(feed, busiest(market)):
        await market.until(lambda: len(market.told()) > 50)
        market.faults.cut_connections()
        await market.until(market.breaks)
        before = len(market.events)
        await market.until(lambda: len([one for one in market.events[before:] if isinstance(one, Trade | Quote)]) > 50)
        heard = in_order(market.told())
        told = {number(one): one for one in market.truth(feed, busiest(market), heard[0])}
        assert all(told[number(one)] == one for one in heard)


@every_feed
async def test_an_open_but_silent_connection_is_given_up_and_made_again(exchange: str, feed: str) -> None:
    assert 0 < live_trades(exchange, feed).silence_seconds_max <= 30
    async with rig(exchange) as market, market.following(feed, busiest(market), silence_seconds_max=0.3) as stream:
        await market.until(lambda: len(market.told()) > 20)
        market.faults.fall_silent()
        await market.until(lambda: any("silent" in one.reason for one in market.breaks()))
        market.faults.heal()
        heard = len(market.told())
        await market.until(lambda: stream.status.state == "live" and len(market.told()) > heard + 20)


@every_feed
async def test_fields_and_messages_that_nobody_heard_of_change_nothing(exchange: str, feed: str) -> None:
    async with rig(exchange) as market:
        market.faults.add_unknowns()
        symbol = busiest(market)
        async with market.following(feed, symbol):
            await market.until(lambda: len(market.told(symbol)) > 150)
        heard = in_order(market.told(symbol))
        assert heard == market.truth(feed, symbol, heard[0])[: len(heard)]
        assert not market.malformed()


@every_feed
async def test_a_malformed_frame_is_quarantined_and_the_connection_stays(exchange: str, feed: str) -> None:
    async with rig(exchange) as market, market.following(feed, busiest(market)):
        await market.until(lambda: len(market.told()) > 20)
        market.faults.inject_malformed()
        await market.until(market.malformed)
        heard = len(market.told())
        await market.until(lambda: len(market.told()) > heard + 20)
        assert (len(market.malformed()), market.breaks()) == (1, [])


@every_feed
async def test_one_symbol_that_the_exchange_does_not_list_does_not_cost_the_others(exchange: str, feed: str) -> None:
    async with rig(exchange) as market:
        symbol, refuses = busiest(market), market.wire.refuses_unlisted
        async with market.following(feed, symbol, "NOSUCHPAIR") as stream:
            flowing = {symbol} if refuses else {symbol, "NOSUCHPAIR"}
            await market.until(lambda: len(market.told(symbol)) > 20 and stream.status.subscribed == flowing)
            await market.until(lambda: bool(stream.status.refused) is refuses)
            assert market.breaks() == []


@every_feed
async def test_a_symbol_is_added_and_left_without_a_break(exchange: str, feed: str) -> None:
    async with rig(exchange) as market:
        first, second = sorted(market.symbols)[:2]
        async with market.following(feed, first) as stream:
            await market.until(lambda: market.flowing() == {first})
            stream.follow([first, second])
            await market.until(lambda: market.flowing() == {first, second})
            stream.follow([second])
            await market.until(lambda: market.flowing() == {second})
            assert market.breaks() == []


@every_feed
async def test_a_quiet_connection_is_kept_alive_by_heartbeats(exchange: str, feed: str) -> None:
    async with rig(exchange) as market:
        quietest = min(market.symbols, key=lambda one: market.tape.products[market.symbols[one]].trades_a_minute)
        async with market.following(feed, quietest) as stream:
            await market.until(lambda: stream.status.subscribed)
            heard = len(market.frames)
            await market.until(lambda: len(market.frames) > heard + 2)
            assert market.breaks() == []


@every_feed
async def test_no_connection_carries_more_symbols_than_the_exchange_allows(exchange: str, feed: str) -> None:
    most = live_trades(exchange, feed).symbols_per_connection_max
    many = tuple(
        Product(f"A{number:02}", "USD", Decimal(100), 2, Decimal(1), trades_a_minute=6) for number in range(60)
    )
    async with rig(exchange, products=many) as market, market.following(feed, *market.symbols) as stream:
        await market.until(lambda: market.flowing() == set(market.symbols))
        assert stream.status.refused == ""
        assert stream.status.connects == 1
        if most is not None:
            market.faults.cut_connections()
            await market.until(lambda: len(market.breaks()) == -(-len(many) // most))
            told = [one.symbols for one in market.breaks() if one.symbols is not None]
            assert frozenset().union(*told) == set(market.symbols)
            assert max(len(one) for one in told) <= most


@pytest.mark.parametrize(("code", "announced"), [(20051, True), (20061, True), (20060, False)])
async def test_bitfinex_announces_restarts_and_maintenance(code: int, announced: bool) -> None:
    async with rig("bitfinex") as market, market.following("trades", busiest(market)) as stream:
        await market.until(lambda: len(market.trades()) > 20)
        market.faults.inject(f'{{"event":"info","code":{code},"msg":"as announced"}}')
        if announced:
            await market.until(lambda: stream.status.cuts == 1)
            assert [type(one) for one in market.events].count(CutAnnounced) == 1
        else:
            await market.until(lambda: stream.status.detail)
            assert "maintenance" in stream.status.detail
        assert market.breaks() == []


async def test_bitfinex_may_be_silent_under_maintenance_and_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        rig("bitfinex") as market,
        market.following("trades", busiest(market), silence_seconds_max=0.3) as stream,
    ):
        await market.until(lambda: len(market.trades()) > 20)
        for _ in range(2):
            market.faults.inject('{"event":"info","code":20060,"msg":"as announced"}')
        await market.until(lambda: "maintenance" in stream.status.detail)
        market.faults.fall_silent()
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.8
        await market.until(lambda: loop.time() > until)
        assert market.breaks() == []
        market.faults.refuse_connections(rest_too=True)
        market.faults.cut_connections()
        await market.until(lambda: stream.status.state == "down")
        until = loop.time() + 0.5
        await market.until(lambda: loop.time() > until)
        notices = [one.message for one in caplog.records if one.levelno >= logging.WARNING]
        assert notices.count("exchange pauses") == 1
        assert len(notices) <= 1 + 2, "one for the break, and one for the refusal that followed"
