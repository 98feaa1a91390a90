"""One mute symbol among others is found out; a quiet one is left alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from marketdata.clock import FakeClock
from marketdata.compute.pace import PatienceBounds
from marketdata.errors import RemoteUnavailable
from marketdata.exchanges.coinbase import CoinbaseExchange
from marketdata.jobs.followed_exchange import FollowedExchange
from marketdata.jobs.watch_symbols import WatchLimits, WatchSymbols
from marketdata.model.events import Heartbeat, Subscribed
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade
from marketdata.net.stream import Stream

from tests.unit.local.exchanges.market import NOW

LIMITS = WatchLimits(
    look_seconds=0.01,
    word_seconds_max=0.05,
    settle_seconds=0.05,
    renew_seconds_between=0.2,
    retry_seconds=0.02,
    patience=PatienceBounds(least=0.05, unknown=0.1, most=10.0),
)


class Watching(Stream):
    """A stream that remembers what it was asked to do."""

    def __init__(self) -> None:
        super().__init__(CoinbaseExchange("ws://nowhere"), clock=FakeClock(NOW))
        self.status.state = "live"
        self.status.subscribed = frozenset({"BTC-USD"})
        self.asked_anew: list[str] = []
        self.renewals = 0

    def resubscribe(self, symbol: str) -> None:
        self.asked_anew.append(symbol)

    def renew(self) -> None:
        self.renewals += 1


class Market:
    """An exchange whose REST knows `newest`, and the feed that follows it."""

    def __init__(self, limits: WatchLimits) -> None:
        self.stream = Watching()
        self.followed = FollowedExchange(self.stream, keep_trades=False, trades_max=10)
        self.followed.know(["BTC-USD"])
        self.followed.handle((Subscribed(("BTC-USD",)),))
        self.newest = 0
        self.away = False
        self.watch = WatchSymbols(self.followed, self._newest, limits)

    async def _newest(self, symbol: str) -> Trade | None:
        if self.away:
            raise RemoteUnavailable("coinbase", "away")
        return trade(self.newest) if self.newest else None

    def trades(self, *ids: int) -> None:
        self.followed.handle([trade(one) for one in ids])
        self.newest = max(self.newest, *ids)

    def beats(self, last_trade_id: int) -> None:
        self.followed.handle((Heartbeat("BTC-USD", last_trade_id, nanoseconds(NOW)),))


def trade(trade_id: int) -> Trade:
    return Trade("BTC-USD", trade_id, nanoseconds(NOW) + trade_id, Decimal(1), Decimal(1), Side.BUY)


@contextlib.asynccontextmanager
async def market(limits: WatchLimits = LIMITS) -> AsyncIterator[Market]:
    made = Market(limits)
    running = asyncio.create_task(made.watch.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(happened: Callable[[], object], meanwhile: Callable[[], object] = lambda: None) -> None:
    async with asyncio.timeout(5):
        while not happened():
            meanwhile()
            await asyncio.sleep(0.005)


async def test_a_symbol_that_is_mute_with_its_heartbeats_is_found_by_asking_for_its_newest_trade() -> None:
    async with market() as made:
        made.trades(1, 2, 3)
        made.newest = 7
        await until(lambda: made.followed.told.get("BTC-USD") == 7)
        assert made.followed.holes("BTC-USD") == [(4, 7)]
        assert made.stream.asked_anew == []


async def test_loss_right_before_a_quiet_market_is_found() -> None:
    """The tail comes from the exchange's word, never from our own newest trade."""
    async with market() as made:
        for one in range(1, 6):
            made.trades(one)
            await asyncio.sleep(0.02)
        made.newest = 6
        await until(lambda: made.followed.holes("BTC-USD") == [(6, 6)])


@pytest.mark.slow
async def test_a_quiet_symbol_is_asked_about_ever_less_often_and_nothing_is_done() -> None:
    async with market() as made:
        made.trades(1)
        await until(lambda: made.watch.asked >= 4)
        loop = asyncio.get_running_loop()
        fourth = loop.time()
        await until(lambda: made.watch.asked >= 5)
        assert loop.time() - fourth >= 8 * LIMITS.patience.least
        assert (made.stream.asked_anew, made.stream.renewals) == ([], 0)
        assert made.followed.holes("BTC-USD") == []


async def test_nobody_is_asked_while_heartbeats_name_the_newest_trade() -> None:
    async with market() as made:
        made.trades(1)
        beats = 0

        def beat() -> None:
            nonlocal beats
            beats += 1
            made.beats(1)

        await until(lambda: beats >= 100, beat)
        assert made.watch.asked == 0


async def test_a_symbol_of_which_nothing_was_ever_seen_begins_with_what_the_exchange_names() -> None:
    async with market() as made:
        made.newest = 5
        await until(lambda: made.followed.newest_id("BTC-USD") == 5)


async def test_a_symbol_that_stays_mute_is_subscribed_anew_and_at_last_the_connection_is_replaced() -> None:
    async with market() as made:
        made.trades(1, 2)
        told = 2

        def trades_elsewhere() -> None:
            nonlocal told
            told += 1
            made.beats(told)

        await until(lambda: made.stream.asked_anew, trades_elsewhere)
        assert made.stream.renewals == 0
        await until(lambda: made.stream.renewals >= 2, trades_elsewhere)
        assert made.stream.asked_anew == ["BTC-USD"]


async def test_one_lost_trade_is_no_reason_to_ask_for_the_symbol_anew() -> None:
    async with market(replace(LIMITS, strikes_seconds=0.01)) as made:
        for last in (3, 6, 9):
            made.trades(last - 2, last - 1)
            made.beats(last)
            assert made.followed.holes("BTC-USD") == [(last, last)]
            await asyncio.sleep(2 * LIMITS.settle_seconds)
            made.followed.bars["BTC-USD"].account_for(last, last)
        assert made.stream.asked_anew == []


async def test_an_exchange_whose_rest_is_away_is_asked_again() -> None:
    async with market() as made:
        made.trades(1)
        made.away = True
        await until(lambda: made.watch.asked >= 3)
        made.away, made.newest = False, 4
        await until(lambda: made.followed.told.get("BTC-USD") == 4)


@pytest.mark.parametrize("state", ["down", "connecting", "stale"])
async def test_nobody_is_doubted_while_the_connection_is_not_live(state: str) -> None:
    async with market() as made:
        made.stream.status.state = state
        made.newest = 5
        await asyncio.sleep(3 * LIMITS.patience.unknown)
        assert made.watch.asked == 0
