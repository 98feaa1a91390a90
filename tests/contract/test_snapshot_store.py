"""Snapshots in every store: one row a minute, whatever comes, in whatever order."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import reduce
from random import Random

import pytest
from marketdata.compute.merge_snapshots import merge_snapshots
from marketdata.errors import RequestInvalid, StoreError
from marketdata.model.instrument import Instrument
from marketdata.model.snapshot import Snapshot
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.market import at


@pytest.fixture
def supabase_store(empty_supabase: RunningSupabase) -> Iterator[SupabaseStore]:
    """A store on an empty database."""
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    yield store
    store.close()


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store in turn, empty."""
    one: Store = MemoryStore() if request.param == "memory" else request.getfixturevalue("supabase_store")
    return one


def snapshot(
    time: datetime, price: str = "100", asset: str = "BTC", cap: str | None = None, change: str | None = None
) -> Snapshot:
    """One of BTC in USD."""
    numbers = (Decimal(price), None, Decimal(cap) if cap else None, Decimal(change) if change else None)
    return Snapshot("coingecko", asset, "USD", time, *numbers)


def held(store: Store, asset: str = "BTC") -> list[Snapshot]:
    """All of one asset, oldest first."""
    return store.snapshots("coingecko", asset, "USD", start=None, end=None, limit=10_000)


def test_what_was_put_comes_back_exactly(store: Store) -> None:
    exact = Snapshot(
        "coingecko",
        "SHIB",
        "USD",
        at("10:00:12.345678"),
        Decimal("0.000016446899669484214"),
        Decimal("123456789012345678901234567890.12"),
        Decimal(0),
        Decimal("-12.34567"),
    )
    assert store.put_snapshots([exact, snapshot(at("10:00"))]) == 2
    assert held(store, "SHIB") == [exact]
    assert held(store) == [snapshot(at("10:00"))]


def test_the_same_again_changes_no_row(store: Store) -> None:
    told = [snapshot(at("10:00"), cap="5"), snapshot(at("10:01:30"), change="-2"), snapshot(at("10:02"))]
    assert store.put_snapshots(told) == 3
    assert store.put_snapshots([*told, *told]) == 0
    assert held(store) == told


def test_a_minute_keeps_what_was_observed_last_and_one_moment_joins(store: Store) -> None:
    late = snapshot(at("10:00:50"), "102", cap="7")
    store.put_snapshots([late])
    assert store.put_snapshots([snapshot(at("10:00:10"), "101", cap="9")]) == 0
    assert store.put_snapshots([snapshot(at("10:00:50"), "102", change="3")]) == 1
    assert held(store) == [snapshot(at("10:00:50"), "102", cap="7", change="3")]
    assert store.put_snapshots([snapshot(at("10:00:59"), "99")]) == 1
    assert held(store) == [snapshot(at("10:00:59"), "99")]


@pytest.mark.parametrize("seed", range(5))
def test_every_order_ends_in_the_row_that_the_rule_gives(store: Store, seed: int) -> None:
    dice = Random(seed)

    def amount() -> str | None:
        return dice.choice([None, "1", "2"])

    told = [
        snapshot(at("10:00") + timedelta(seconds=dice.randrange(3)), dice.choice("12"), cap=amount(), change=amount())
        for _ in range(8)
    ]
    dice.shuffle(told)
    for one in told:
        store.put_snapshots([one])
    assert held(store) == [reduce(merge_snapshots, told)]


def test_a_span_is_half_open_and_the_newest_come_first_if_so_asked(store: Store) -> None:
    told = [snapshot(at(f"10:0{minute}:30")) for minute in range(5)]
    store.put_snapshots(told)

    def asked(limit: int, newest_first: bool = False) -> list[Snapshot]:
        return store.snapshots(
            "coingecko", "BTC", "USD", start=at("10:01"), end=at("10:04"), limit=limit, newest_first=newest_first
        )

    assert asked(10) == told[1:4]
    assert asked(2) == told[1:3]
    assert asked(2, newest_first=True) == [told[3], told[2]]
    assert store.snapshots("coingecko", "BTC", "EUR", start=None, end=None, limit=1) == []
    with pytest.raises(RequestInvalid):
        asked(10_001)


def test_old_ones_are_forgotten_and_counted(store: Store) -> None:
    told = [snapshot(at(f"10:0{minute}")) for minute in range(5)]
    store.put_snapshots([*told, snapshot(at("10:00"), asset="ETH")])
    assert store.prune_snapshots(before=at("10:03")) == 4
    assert held(store) == told[3:]
    assert store.prune_snapshots(before=at("10:03")) == 0


def test_more_than_one_write_takes_them_all(store: Store) -> None:
    told = [snapshot(at("00:00") + timedelta(minutes=minute)) for minute in range(1_100)]
    assert store.put_snapshots(told) == 1_100
    assert held(store) == told


@pytest.mark.parametrize(
    "impossible",
    [
        snapshot(at("10:00"), "0"),
        snapshot(at("10:00"), cap="-1"),
        snapshot(at("10:00"), change="-101"),
        snapshot(at("10:00"), asset=""),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(store: Store, impossible: Snapshot) -> None:
    with pytest.raises(StoreError):
        store.put_snapshots([snapshot(at("09:00")), impossible])
    assert held(store) == []


@pytest.mark.parametrize("exchange", ["coingecko", "coingecko-simulated"])
def test_an_index_never_has_instruments_and_so_neither_candles_nor_trades(store: Store, exchange: str) -> None:
    with pytest.raises(StoreError):
        store.put_instruments([Instrument(exchange, "BTC-USD", "BTC", "USD")])
    assert store.instruments() == []
