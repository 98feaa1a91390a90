"""Our candles are held against the exchange's own, and no rank is ever broken."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pytest
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.jobs.reconcile import ReconcileSettings, reconcile
from marketdata.model.candle import Candle, Source
from marketdata.model.gap import GapState
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1

from local.exchanges.faults import Faults
from tests.unit.jobs.past_exchange import (
    BTC,
    MINUTE,
    QUIET,
    PastExchange,
    ago,
    empty_minutes,
    outline,
    past_exchange,
    tape_candles,
    tape_outlines,
)

DAY = ago(0, minutes=1440)
NO_SAMPLE = ReconcileSettings(windows=0)


@contextlib.asynccontextmanager
async def holding(*candles: Candle, faults: Faults | None = None) -> AsyncIterator[PastExchange]:
    async with past_exchange(faults) as exchange:
        exchange.store.put_candles(candles)
        yield exchange


async def run(exchange: PastExchange, settings: ReconcileSettings = NO_SAMPLE, *, seconds: float = 600) -> Any:
    @contextlib.contextmanager
    def opened() -> Iterator[ExchangePast]:
        yield exchange.past

    deadline = exchange.clock.now() + timedelta(seconds=seconds)
    return await asyncio.to_thread(
        reconcile,
        exchange.store,
        exchange.clock,
        deadline,
        open_past=lambda name: opened(),
        settings=settings,
    )


def minutes(span: Span, source: Source, instrument: Instrument = BTC) -> list[Candle]:
    """What the tape says of a span, held with that rank."""
    return [replace(one, source=source) for one in _drawn(instrument, span)]


@lru_cache
def _drawn(instrument: Instrument, span: Span) -> list[Candle]:
    """A day of trades takes seconds to draw."""
    return tape_candles(instrument, span)


def wrong(candle: Candle) -> Candle:
    """The same, but that it closed a cent higher."""
    close = candle.close + Decimal("0.01")
    return replace(candle, close=close, high=max(candle.high, close))


def stored(exchange: PastExchange, instrument: Instrument = BTC) -> list[Candle]:
    return exchange.store.candles(instrument, M1, start=None, end=None, limit=10_000)


async def test_every_live_minute_becomes_the_exchanges_own_candle() -> None:
    span = ago(30, minutes=4)
    first, *others = minutes(span, Source.LIVE)
    async with holding(wrong(first), *others) as exchange:
        result = await run(exchange)
        assert [outline(one) for one in stored(exchange)] == tape_outlines(BTC, span)
        assert {one.source for one in stored(exchange)} == {Source.VENUE}
        assert (result["compared"], result["equal"], result["mismatched"], result["repaired"]) == (4, 3, 1, 4)
        assert result["fields"]["close"] == 1
        assert result["finished"]
        assert len(exchange.asked) == 1


async def test_live_minutes_of_any_age_are_found_and_not_asked_for_twice() -> None:
    old = minutes(ago(60 * 24 * 200, minutes=1), Source.LIVE)
    async with holding(*old, *minutes(ago(30, minutes=1), Source.LIVE)) as exchange:
        assert (await run(exchange))["repaired"] == 2
        asked = len(exchange.asked)
        assert (await run(exchange))["compared"] == 0
        assert len(exchange.asked) == asked


async def test_a_minute_held_in_part_goes_on_the_ledger_and_is_not_written() -> None:
    part = ago(30, minutes=1)
    async with holding(*minutes(part, Source.PARTIAL)) as exchange:
        result = await run(exchange)
        (gap,) = exchange.store.gaps(limit=10)
        assert (gap.span, gap.cause, gap.state) == (part, "reconcile", GapState.OPEN)
        assert (result["ordered"], result["repaired"]) == (1, 0)
        assert stored(exchange)[0].source is Source.PARTIAL


@pytest.mark.long
@pytest.mark.slow
async def test_a_proven_candle_that_differs_is_reported_by_field_and_kept() -> None:
    one, *others = minutes(DAY, Source.PROVEN)
    held = [one, *others[:700], wrong(others[700]), *others[701:]]
    async with holding(*held) as exchange:
        before = stored(exchange)
        result = await run(exchange, ReconcileSettings(windows=40))
        assert stored(exchange) == before
        assert (result["kept"] >= 1, result["repaired"]) == (True, 0)
        assert result["fields"]["close"] == result["kept"]
        assert "proven: high" in result["examples"][0] or "proven: close" in result["examples"][0]


@pytest.mark.long
async def test_the_sample_of_a_day_is_the_same_each_time_and_finds_proven_candles_right() -> None:
    async with holding(*minutes(DAY, Source.PROVEN)) as exchange:
        result = await run(exchange, ReconcileSettings())
        asked = list(exchange.asked)
        exchange.asked.clear()
        await run(exchange, ReconcileSettings())
        assert exchange.asked == asked
        assert (result["mismatched"], result["venue_absent"]) == (0, 0)
        assert result["sampled"] == result["compared"] > 300


async def test_a_minute_taken_to_be_empty_gets_the_exchanges_candle() -> None:
    async with holding() as exchange:
        exchange.store.mark_empty(BTC, M1, [DAY])
        exchange.store.roll_up(limit=10_000)
        result = await run(exchange, ReconcileSettings())
        assert result["repaired"] == len(stored(exchange)) > 300
        assert {one.source for one in stored(exchange)} == {Source.VENUE}


async def test_a_minute_that_may_still_change_is_not_compared() -> None:
    async with past_exchange() as exchange:
        end = M1.floor(exchange.clock.now())
        exchange.store.put_candles(minutes(Span(end - 3 * MINUTE, end), Source.LIVE))
        result = await run(exchange)
        assert (result["compared"], result["repaired"]) == (0, 0)


async def test_a_minute_that_the_exchange_has_not_is_counted_and_kept() -> None:
    quiet = empty_minutes(QUIET, ago(10, minutes=120))[0]
    made_up = replace(minutes(ago(10, minutes=1), Source.LIVE)[0], symbol=QUIET.symbol, open_time=quiet.start)
    async with holding(made_up) as exchange:
        result = await run(exchange)
        assert (result["venue_absent"], result["compared"]) == (1, 0)
        assert len(stored(exchange, QUIET)) == 1


async def test_an_exchange_that_is_away_is_left_alone_and_the_rest_follows_next_time() -> None:
    faults = Faults()
    faults.refuse_connections(rest_too=True)
    async with holding(*minutes(ago(30, minutes=4), Source.LIVE), faults=faults) as exchange:
        result = await run(exchange)
        assert (result["finished"], result["unreached"], len(exchange.asked)) == (False, [BTC.exchange], 1)
        faults.heal()
        assert (await run(exchange))["repaired"] == 4


async def test_a_run_ends_at_its_deadline_and_the_next_goes_on() -> None:
    far = [one for hours in range(0, 60, 6) for one in minutes(ago(60 * hours, minutes=1), Source.LIVE)]
    async with holding(*far) as exchange:
        repaired = []
        for _ in range(20):
            result = await run(exchange, seconds=0.5)
            repaired.append(result["repaired"])
            exchange.clock.advance(timedelta(seconds=1))
        assert sum(repaired) == len(far)
        assert 0 < max(repaired) < len(far)
