"""Gaps of a quoted market: filled by OANDA's own candles of each price, over real HTTP, closed sessions left alone."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from marketdata.clock import FakeClock
from marketdata.compute.coverage import subtract, union
from marketdata.exchanges.oanda import OandaRest
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.jobs.fill_gaps import fill_gaps
from marketdata.jobs.fill_settings import FillSettings
from marketdata.jobs.scan_gaps import scan_gaps
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import UNRESOLVED, GapState
from marketdata.model.instrument import Calendar, Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.net.rest import PacedBudget, Rest
from marketdata.store.memory import MemoryStore

from local.exchanges.faults import Faults
from local.exchanges.oanda import oanda_simulator
from local.exchanges.oanda_wire import TOKEN
from local.exchanges.products import Product
from local.exchanges.server import Server
from local.exchanges.tape import Tape
from tests.contract.histories import drain

NOW = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
QUIET = Product("EUR", "USD", Decimal("1.14"), 5, Decimal(1_000), trades_a_minute=4, quiet=0.3, volatility=0.2)
MIDDLE = Instrument("oanda", "EUR_USD", "EUR", "USD", calendar=Calendar.FX)
ASK = Instrument("oanda", "EUR_USD:ask", "EUR", "USD", calendar=Calendar.FX)


class House:
    """A store, an exchange and the jobs between them."""

    def __init__(self, rest: Rest, clock: FakeClock) -> None:
        self.store = MemoryStore()
        self.store.put_instruments([MIDDLE, ASK])
        self.clock = clock
        self._past = ExchangePast(
            lambda request: rest.get(type(request)(request.path, request.query, (*request.headers, *SECRET))),
            OandaRest(),
        )

    def scan(self, history: timedelta) -> None:
        scan_gaps(self.store, self.clock, self.clock.now() + MINUTE, history=history, grace=MINUTE)

    async def repair(self) -> None:
        """Run the mover every minute until nothing is left to do."""
        for _ in range(30):
            if not self.store.gaps(states=UNRESOLVED, limit=1):
                return
            await asyncio.to_thread(self._run_once)
            self.clock.advance(MINUTE)

    def _run_once(self) -> None:
        fill_gaps(
            self.store,
            {"oanda": self._past},
            self.clock,
            worker="one",
            deadline=self.clock.now() + MINUTE,
            settings=FillSettings(lease_seconds=1_200),
            random_source=random.Random(1),
        )

    def candles(self, instrument: Instrument) -> list[Candle]:
        return self.store.candles(instrument, M1, start=None, end=None, limit=10_000)


SECRET = (("Authorization", f"Bearer {TOKEN}"),)


@contextlib.asynccontextmanager
async def house(now: datetime = NOW) -> AsyncIterator[House]:
    clock = FakeClock(now)
    async with Server(oanda_simulator(Tape(3, (QUIET,)), clock, Faults())) as server:
        budget = PacedBudget(20, 20, lambda: clock.now().timestamp())
        rest = Rest("oanda", server.url, budget, clock, sleep=lambda wait: clock.advance(timedelta(seconds=wait)))
        try:
            yield House(rest, clock)
        finally:
            rest.close()


async def test_every_minute_of_every_price_is_held_or_known_to_be_empty() -> None:
    async with house() as made:
        made.scan(timedelta(hours=6))
        await made.repair()
        assert made.store.gaps(states=UNRESOLVED, limit=10) == []
        drain(made.store)
        for instrument in (MIDDLE, ASK):
            held = made.candles(instrument)
            assert {one.source for one in held} == {Source.VENUE}
            span = Span(NOW - timedelta(hours=6) + MINUTE / 2, NOW - 3 * MINUTE / 2)
            known = made.store.coverage(instrument, M1, span)
            assert subtract([span], union(known.covered, known.empty)) == ()
            assert 0 < len(held) < 360, "some minutes had no price"
        step = QUIET.quote_increment
        assert [one.open + step for one in made.candles(MIDDLE)] == [one.open for one in made.candles(ASK)]


@pytest.mark.slow
async def test_a_weekend_is_closed_and_never_asked_for() -> None:
    sunday = datetime(2026, 11, 22, 23, 0, 30, tzinfo=UTC)
    async with house(sunday) as made:
        made.scan(timedelta(hours=60))
        await made.repair()
        closed = Span(datetime(2026, 11, 20, 22, tzinfo=UTC), datetime(2026, 11, 22, 22, tzinfo=UTC))
        assert not [one for one in made.candles(MIDDLE) if one.open_time in closed]
        shut = made.store.gaps(states=[GapState.MARKET_CLOSED], limit=10)
        assert {gap.span for gap in shut} == {closed}
        assert made.store.gaps(states=UNRESOLVED, limit=10) == []
