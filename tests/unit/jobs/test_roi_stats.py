"""Statistics of a market that is held, by the job as it is scheduled."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from marketdata.clock import FakeClock
from marketdata.jobs.read_closes import read_closes
from marketdata.jobs.roi_stats import roi_stats
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Calendar, Instrument
from marketdata.model.span import Span
from marketdata.model.statistics import MarketAggregate, MarketComparison, MarketSnapshot, RoiStatistic, Statistic
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.store.memory import MemoryStore
from marketdata.store.statistics import StatisticsQuestion

from tests.market import BTC, ETH, MINUTE, at, candle

ALL = StatisticsQuestion(limit=10_000)
LTC = Instrument("coinbase", "LTC-USD", "LTC", "USD")
NOW = at("12:04")


def walk(instrument: Instrument, start: datetime, end: datetime, seed: int = 7) -> list[Candle]:
    """A candle of each minute, at prices that wander."""
    dice, price, candles = Random(seed), 100.0, []
    for number in range((end - start) // MINUTE):
        price *= 1 + dice.gauss(0, 0.001)
        candles.append(candle(start + number * MINUTE, instrument, price=f"{price:.2f}"))
    return candles


def house(*instruments: Instrument, hours: int = 26) -> MemoryStore:
    """A store with the last hours of each, rolled up."""
    store = MemoryStore()
    store.put_instruments(instruments)
    for seed, instrument in enumerate(instruments):
        store.put_candles(walk(instrument, at("12:02") - timedelta(hours=hours), at("12:02"), seed))
    drain(store)
    return store


def drain(store: MemoryStore) -> None:
    while store.roll_up():
        pass


def run(store: MemoryStore, now: datetime = NOW, seconds: float = 60) -> dict[str, Any]:
    clock = FakeClock(now)
    return roi_stats(store, clock, clock.now() + timedelta(seconds=seconds))


def everything(store: MemoryStore) -> list[Statistic]:
    rows: list[Statistic] = []
    rows += store.statistics(RoiStatistic, ALL)
    rows += store.statistics(MarketSnapshot, ALL)
    rows += store.statistics(MarketAggregate, ALL)
    rows += store.statistics(MarketComparison, ALL)
    return rows


@pytest.mark.slow
def test_every_market_gets_its_rows_and_they_are_counted_truly() -> None:
    store = house(BTC, ETH, LTC)
    result = run(store)
    assert result["as_of"] == "2026-08-09T12:00:00Z"
    assert (result["markets"], result["snapshots"], result["comparisons"], result["roi_stats"]) == (3, 3, 3, 15)
    assert result["aggregates"] == len(store.statistics(MarketAggregate, ALL))
    assert sum(len([row]) for row in everything(store)) == 3 + 3 + 15 + result["aggregates"]


def test_the_figures_are_those_of_the_closes() -> None:
    store = house(BTC)
    run(store)
    hour = next(row for row in store.statistics(RoiStatistic, ALL) if row.period == "1h")
    closes = [one.close for one in store.candles(BTC, M1, start=at("10:59"), end=at("12:00"), limit=100)]
    assert len(closes) == 61
    assert hour.roi == float(closes[-1] / closes[0] - 1)
    assert (hour.n, hour.coverage, hour.as_of) == (60, 1.0, at("12:00"))
    (snapshot,) = store.statistics(MarketSnapshot, ALL)
    assert (snapshot.price, snapshot.roi_1h, snapshot.as_of) == (closes[-1], hour.roi, at("12:00"))
    assert snapshot.volume_24h == Decimal("0.10") * 1440
    assert (snapshot.roi_7d, snapshot.roi_30d) == (None, None)
    assert set(snapshot.absent) == {"roi_7d", "roi_30d"}


def test_a_run_that_is_repeated_changes_no_row() -> None:
    store = house(BTC, ETH)
    run(store)
    before = everything(store)
    again = run(store, NOW + timedelta(minutes=9))
    assert again["roi_stats"] == 10
    assert everything(store) == before


def test_a_repaired_minute_corrects_the_row_of_its_edge() -> None:
    store = house(BTC)
    dear = candle(at("11:30"), source=Source.MANUAL, price="250")
    run(store)
    store.put_candles([dear])
    drain(store)
    run(store)
    (hour,) = (row for row in store.statistics(RoiStatistic, ALL) if row.period == "1h")
    assert hour.best is not None
    assert hour.best > 1


@pytest.mark.slow
def test_a_run_out_of_time_leaves_markets_that_the_next_begins_with() -> None:
    store = house(BTC, ETH, LTC)
    first = run(store, seconds=0)
    assert (first["markets"], first["left"], first["comparisons"]) == (1, 2, 0)
    second = run(store, seconds=0)
    assert (second["markets"], second["left"], second["comparisons"]) == (1, 2, 1)
    assert run(store, seconds=0)["comparisons"] == 2
    assert {row.symbol for row in store.statistics(MarketSnapshot, ALL)} == {"BTC-USD", "ETH-USD", "LTC-USD"}
    # A quarter of an hour later, whoever was computed longest ago.
    later = run(store, NOW + timedelta(minutes=15), seconds=0)
    assert later["markets"] == 1
    newest = max(store.statistics(MarketSnapshot, ALL), key=lambda row: row.as_of)
    assert (newest.symbol, newest.as_of) == ("BTC-USD", at("12:15"))


def test_without_a_single_candle_every_figure_is_null_with_its_reason() -> None:
    store = MemoryStore()
    store.put_instruments([BTC])
    assert run(store)["markets"] == 1
    for row in store.statistics(RoiStatistic, ALL):
        assert (row.roi, row.volatility, row.n, row.coverage) == (None, None, 0, 0.0)
        assert set(row.absent) == {"roi", "volatility", "sharpe", "sortino", "max_drawdown", "best", "worst"}
    assert store.statistics(MarketAggregate, ALL) == []


def test_quiet_minutes_repeat_the_close_even_from_before_the_window() -> None:
    store = MemoryStore()
    store.put_instruments([BTC])
    store.put_candles([candle(at("09:00"), price="100"), candle(at("11:59"), price="110")])
    store.mark_empty(BTC, M1, [Span(at("09:01"), at("11:59"))])
    drain(store)
    run(store)
    hour = next(row for row in store.statistics(RoiStatistic, ALL) if row.period == "1h")
    assert (hour.roi, hour.n, hour.coverage) == (0.1, 60, 1.0)


def test_closes_are_read_a_page_at_a_time() -> None:
    store = house(BTC, hours=48)
    series = read_closes(store, BTC, M1, Span(at("12:00") - timedelta(hours=40), at("12:00")), settled=at("12:02"))
    assert len(series.buckets) == 2_401
    assert all(bucket.close is not None for bucket in series.buckets)


def test_a_weekend_is_no_hole_and_monday_s_day_begins_with_friday_s_close() -> None:
    market = Instrument("oanda", "EUR_USD", "EUR", "USD", calendar=Calendar.FX)
    store = MemoryStore()
    store.put_instruments([market])
    # 2026-08-07 was a Friday; New York's 17:00 is 21:00 UTC.
    friday, sunday = at("21:00") - timedelta(days=2), at("21:00")
    hours = timeframe_named("1h")
    told = [candle(friday - n * hours.duration, market, hours, price="1.10") for n in range(1, 30)]
    told += [candle(sunday + n * hours.duration, market, hours, price="1.21") for n in range(20)]
    store.put_candles(told)
    now = sunday + timedelta(hours=16)
    series = read_closes(store, market, hours, Span(now - timedelta(days=1), now), settled=now)
    assert series.close_at(now - timedelta(days=1)) == Decimal("1.10")
    assert next(bucket.end for bucket in series.inside) == sunday + hours.duration
    part = series.window(now - timedelta(days=1), now)
    assert [len(chain) for chain in part.chains()] == [17]


@pytest.mark.slow
@pytest.mark.parametrize("days", [3, 500])
def test_old_rows_are_forgotten_comparisons_first(days: int) -> None:
    store = house(BTC, ETH)
    run(store)
    later = run(store, NOW + timedelta(days=days))
    left = {type(row) for row in everything(store) if row.as_of <= at("12:00")}
    assert (MarketComparison in left, MarketSnapshot in left) == (False, days == 3)
    assert later["pruned"] > 0
