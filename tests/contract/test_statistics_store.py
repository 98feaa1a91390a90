"""Statistics in every store: a row for each market, period and edge, whoever computes it, however often."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import psycopg
import pytest
from marketdata.errors import NotFound, RequestInvalid, StoreError
from marketdata.model.instrument import Instrument
from marketdata.model.statistics import MarketAggregate, MarketComparison, MarketSnapshot, RoiStatistic, Statistic
from marketdata.model.timeframe import timeframe_named
from marketdata.model.windows import WINDOWS
from marketdata.store.memory import MemoryStore
from marketdata.store.statistics import StatisticsQuestion
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.market import BTC, ETH, at

LTC = Instrument("coinbase", "LTC-USD", "LTC", "USD")
EVERYTHING = StatisticsQuestion(limit=10_000)
KINDS = (RoiStatistic, MarketSnapshot, MarketAggregate, MarketComparison)

Kind = TypeVar("Kind", RoiStatistic, MarketSnapshot, MarketAggregate, MarketComparison)


@pytest.fixture
def supabase_store(empty_supabase: RunningSupabase) -> Iterator[SupabaseStore]:
    """A store on an empty database."""
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    yield store
    store.close()


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store in turn, with three markets and no statistics."""
    one: Store = MemoryStore() if request.param == "memory" else request.getfixturevalue("supabase_store")
    one.put_instruments([BTC, ETH, LTC])
    return one


def statistic(as_of: datetime, market: Instrument = BTC, period: str = "1h", roi: float | None = 0.1) -> RoiStatistic:
    """The statistics of a window of closes that hardly moved."""
    window = next(one for one in WINDOWS if one.name == period)
    return RoiStatistic(
        exchange=market.exchange,
        symbol=market.symbol,
        period=period,
        as_of=as_of,
        timeframe=window.timeframe,
        roi=roi,
        volatility=0.5292831127645107,
        sharpe=-31.70612493644819,
        sortino=None,
        max_drawdown=-0.0040783115524486435,
        best=2.3e-17,
        worst=-0.0023413759319838023,
        n=60,
        coverage=0.983333,
        absent={"sortino": "no return is below zero"},
    )


def snapshot(as_of: datetime, market: Instrument = BTC, price: str = "65000.10") -> MarketSnapshot:
    """What a market is worth."""
    return MarketSnapshot(
        market.exchange,
        market.symbol,
        as_of,
        Decimal(price),
        Decimal("123456789012345678901234567890.12"),
        None,
        0.5,
        0.1,
        -0.2,
        0.3,
        None,
        n=288,
        coverage=1.0,
        absent={"quote_volume_24h": "the exchange does not give it", "roi_30d": "none"},
    )


def aggregate(as_of: datetime, market: Instrument = BTC, period: str = "hourly") -> MarketAggregate:
    """An hour of a market."""
    prices = (Decimal("0.00001"), Decimal("0.00003"), Decimal("0.000005"), Decimal("0.00002"), Decimal("0.000015"))
    return MarketAggregate(
        market.exchange, market.symbol, period, as_of, *prices, Decimal(7), Decimal("0.00014"), 1.0, n=12, coverage=1.0
    )


def comparison(as_of: datetime, first: Instrument = BTC, second: Instrument = LTC) -> MarketComparison:
    """Two markets."""
    return MarketComparison(
        first.key, second.key, as_of, 650.5, None, 0.1, None, 0.0, -0.5, n=288, coverage=1.0, absent={"roi_24h": "none"}
    )


def one_of_each(as_of: datetime) -> list[Statistic]:
    """A row of every kind that may end there."""
    return [statistic(as_of), snapshot(as_of), aggregate(as_of), comparison(as_of)]


def held(store: Store, kind: type[Kind], question: StatisticsQuestion = EVERYTHING) -> list[Kind]:
    """What the store gives, without the numbers that it gave."""
    return [replace(row, id=0) for row in store.statistics(kind, question)]


def test_what_was_put_comes_back_exactly(store: Store) -> None:
    store.put_statistics(one_of_each(at("10:00")))
    assert held(store, RoiStatistic) == [statistic(at("10:00"))]
    assert held(store, MarketSnapshot) == [snapshot(at("10:00"))]
    assert held(store, MarketAggregate) == [aggregate(at("10:00"))]
    assert held(store, MarketComparison) == [comparison(at("10:00"))]


def test_the_same_again_is_the_same_rows_and_another_figure_replaces_the_row(store: Store) -> None:
    rows = one_of_each(at("10:00"))

    def kept() -> list[object]:
        return [store.statistics(kind, EVERYTHING) for kind in KINDS]  # type: ignore[type-var]

    store.put_statistics(rows)
    before = kept()
    (first,) = store.statistics(RoiStatistic, EVERYTHING)
    store.put_statistics([*rows, *rows])
    assert kept() == before
    store.put_statistics([statistic(at("10:00"), roi=None)])
    (changed,) = store.statistics(RoiStatistic, EVERYTHING)
    assert (changed.roi, changed.id) == (None, first.id)


@pytest.mark.stack
def test_the_same_again_writes_no_new_version_of_a_row(
    supabase_store: SupabaseStore, empty_supabase: RunningSupabase
) -> None:
    supabase_store.put_instruments([BTC, ETH, LTC])
    rows = one_of_each(at("10:00"))
    supabase_store.put_statistics(rows)
    tables = ("roi_statistics", "market_snapshots", "market_aggregates", "market_comparisons")

    def versions() -> list[object]:
        with psycopg.connect(empty_supabase.dsn) as connection:
            return [connection.execute(f"select xmin, ctid, * from {table}").fetchall() for table in tables]

    before = versions()
    supabase_store.put_statistics(rows)
    assert versions() == before
    supabase_store.put_statistics([replace(row, n=row.n + 1) for row in rows])
    assert all(after != known for after, known in zip(versions(), before, strict=True))


def test_questions_choose_by_market_period_and_half_open_time(store: Store) -> None:
    quarters = [at("10:00"), at("10:15"), at("10:30")]
    store.put_statistics([statistic(time, market) for time in quarters for market in (BTC, ETH)])
    store.put_statistics([statistic(at("10:00"), period="24h")])

    def times(**asked: object) -> list[datetime]:
        rows = held(store, RoiStatistic, replace(EVERYTHING, **asked))  # type: ignore[arg-type]
        return sorted(row.as_of for row in rows)

    assert times(instruments=(ETH,)) == quarters
    assert times(instruments=(BTC,), period="1h") == quarters
    assert times(instruments=(), period="1h") == []
    assert times(period="24h") == [at("10:00")]
    assert times(instruments=(ETH,), start=at("10:15"), end=at("10:30")) == [at("10:15")]


def test_pages_go_from_the_newest_on_and_lose_nothing(store: Store) -> None:
    rows = [statistic(at("00:00") + timedelta(minutes=number)) for number in range(1_203)]
    store.put_statistics(rows)
    seen: list[RoiStatistic] = []
    while page := store.statistics(
        RoiStatistic, StatisticsQuestion(limit=500, before_id=seen[-1].id if seen else None)
    ):
        seen += page
    assert [row.as_of for row in seen] == [row.as_of for row in reversed(rows)]
    assert len(store.statistics(RoiStatistic, EVERYTHING)) == 1_203


def test_the_latest_are_one_of_each_market_and_period(store: Store) -> None:
    store.put_statistics([statistic(at(time), market) for time in ("10:00", "10:15") for market in (BTC, ETH)])
    store.put_statistics([statistic(at("09:00"), period="24h"), snapshot(at("10:00")), snapshot(at("09:45"), ETH)])
    store.put_statistics([aggregate(at("09:00")), aggregate(at("10:00"))])
    latest = StatisticsQuestion(latest=True)
    found = {(row.symbol, row.period, row.as_of) for row in held(store, RoiStatistic, latest)}
    assert found == {
        ("BTC-USD", "1h", at("10:15")),
        ("ETH-USD", "1h", at("10:15")),
        ("BTC-USD", "24h", at("09:00")),
    }
    assert {row.symbol: row.as_of for row in held(store, MarketSnapshot, latest)} == {
        "BTC-USD": at("10:00"),
        "ETH-USD": at("09:45"),
    }
    assert held(store, MarketAggregate, replace(latest, instruments=(BTC,))) == [aggregate(at("10:00"))]


def test_a_comparison_is_found_by_either_market_and_by_both(store: Store) -> None:
    pairs = [(BTC, LTC), (BTC, ETH), (LTC, ETH)]
    store.put_statistics([comparison(at(time), *pair) for time in ("10:00", "10:15") for pair in pairs])
    latest = StatisticsQuestion(latest=True)
    assert len(held(store, MarketComparison, latest)) == 3
    of_ltc = held(store, MarketComparison, replace(latest, instruments=(LTC,)))
    assert sorted((row.first[1], row.second[1]) for row in of_ltc) == [("BTC-USD", "LTC-USD"), ("LTC-USD", "ETH-USD")]
    both = held(store, MarketComparison, replace(latest, instruments=(ETH, BTC), within=True))
    assert both == [comparison(at("10:15"), BTC, ETH)]


def test_old_ones_are_forgotten_and_counted(store: Store) -> None:
    store.put_statistics([row for time in ("10:00", "11:00", "12:00") for row in one_of_each(at(time))])
    assert store.prune_statistics(before=at("11:00"), comparisons_before=at("12:00")) == 5
    assert [len(held(store, kind)) for kind in KINDS] == [2, 2, 2, 1]  # type: ignore[type-var]
    assert store.prune_statistics(before=at("11:00"), comparisons_before=at("12:00")) == 0


@pytest.mark.parametrize(
    "impossible",
    [
        replace(statistic(at("10:00")), roi=-1.5),
        replace(statistic(at("10:00")), coverage=1.5),
        replace(statistic(at("10:00")), n=-1),
        replace(statistic(at("10:00")), sharpe=float("inf")),
        replace(statistic(at("10:00")), timeframe=timeframe_named("1h"), as_of=at("10:01")),
        replace(snapshot(at("10:00")), as_of=at("10:01")),
        replace(snapshot(at("10:00")), volatility=float("nan")),
        replace(aggregate(at("10:00")), as_of=at("10:15")),
        replace(comparison(at("10:00")), price_ratio=-1.0),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(store: Store, impossible: Statistic) -> None:
    with pytest.raises(StoreError):
        store.put_statistics([impossible])
    assert all(not held(store, kind) for kind in KINDS)  # type: ignore[type-var]


def test_nobody_s_figures_are_kept_and_no_question_is_unbounded(store: Store) -> None:
    with pytest.raises(NotFound):
        store.put_statistics([statistic(at("10:00"), Instrument("coinbase", "NO-ONE", "NO", "ONE"))])
    with pytest.raises(RequestInvalid):
        store.statistics(RoiStatistic, StatisticsQuestion(limit=10_001))
