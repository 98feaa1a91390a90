"""What stores know of ticks that others push, and of answers that were given."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random

import msgspec
import psycopg
import pytest
from marketdata.compute.fold_pushed import fold_pushed
from marketdata.errors import NotFound, StoreError
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade
from marketdata.store.kept_answers import KeptAnswer
from marketdata.store.memory import MemoryStore
from marketdata.store.pushed_ticks import Kept
from marketdata.store.store import Store
from marketdata.store.supabase import SupabaseStore

from tests.conftest import RunningSupabase
from tests.market import BTC, at

PUSHED = Instrument("webhook", "BTCUSDT", "BTC", "USDT")
INVENTED = Instrument("webhook-simulated", "BTCUSDT", "BTC", "USDT", simulated=True)
ANSWER, OTHER = KeptAnswer("print-1", "answer-1"), KeptAnswer("print-2", "answer-2")
NOW = at("12:00")


@pytest.fixture
def supabase_store(empty_supabase: RunningSupabase) -> Iterator[SupabaseStore]:
    """A store on an empty database."""
    store = SupabaseStore(empty_supabase.url, empty_supabase.service_key)
    yield store
    store.close()


@pytest.fixture(params=["memory", pytest.param("supabase", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Store:
    """Each kind of store in turn, with one market that is followed and two that are only pushed."""
    one: Store = MemoryStore() if request.param == "memory" else request.getfixturevalue("supabase_store")
    one.put_instruments([BTC, PUSHED, INVENTED])
    return one


def tick(trade_id: int, clock: str, side: Side = Side.BUY) -> Trade:
    return Trade("BTCUSDT", trade_id, nanoseconds(at(clock)), Decimal(5), Decimal(1), side)


def test_the_side_of_a_taker_that_nobody_told_of_stays_unknown(store: Store) -> None:
    told = [tick(1, "10:00", Side.BUY), tick(2, "10:00", Side.SELL), tick(3, "10:00", Side.UNKNOWN)]
    store.put_trades("webhook", told)
    assert store.trades(PUSHED, Span(at("10:00"), at("11:00")), limit=10) == told


def test_the_newest_trades_come_first_if_so_asked(store: Store) -> None:
    told = [tick(number, f"10:0{number // 2}") for number in range(8)]
    store.put_trades("webhook", told)
    asked = Span(at("10:00"), at("10:03"))
    assert store.trades(PUSHED, asked, limit=3, newest_first=True) == [told[5], told[4], told[3]]
    assert store.trades(PUSHED, asked, limit=10, newest_first=True) == told[5::-1]
    assert store.trades(PUSHED, asked, limit=3) == told[:3]


@pytest.mark.stack
def test_ticks_of_a_month_whose_candles_were_pruned_become_candles(
    supabase_store: SupabaseStore, empty_supabase: RunningSupabase
) -> None:
    supabase_store.put_instruments([PUSHED])
    time = at("10:00") + timedelta(days=900)
    told = Trade("BTCUSDT", 1, nanoseconds(time), Decimal(5), Decimal(1), Side.BUY)
    assert supabase_store.keep_ticks("webhook", [told]) == [Kept.ADDED]
    with psycopg.connect(empty_supabase.dsn, autocommit=True) as connection:
        connection.execute(f"drop table parts.candles_1m_{time:%Y%m}")
    assert supabase_store.fold_ticks(PUSHED, [Span(time, time + timedelta(minutes=1))]) == 1
    held = supabase_store.candles(PUSHED, M1, start=None, end=None, limit=10)
    assert [one.open_time for one in held] == [time]


def test_only_markets_that_somebody_can_be_asked_about_have_gaps_and_a_history(store: Store) -> None:
    later = NOW + timedelta(days=3_000)
    found = store.find_gaps(now=later, history=timedelta(days=7_000), grace=timedelta(minutes=2))
    ordered = store.find_history(now=later, history=timedelta(days=7_000))
    assert {instrument.exchange for instrument, _ in [*found, *ordered]} == {"coinbase"}


def test_the_first_answer_to_a_key_is_kept(store: Store) -> None:
    assert store.recall_answer("me", "key", now=NOW) is None
    assert store.keep_answer("me", "key", ANSWER, now=NOW) == ANSWER
    assert store.keep_answer("me", "key", OTHER, now=NOW) == ANSWER
    assert store.recall_answer("me", "key", now=NOW) == ANSWER
    assert store.recall_answer("you", "key", now=NOW) is None


def test_an_answer_is_forgotten_after_a_day(store: Store) -> None:
    store.keep_answer("me", "key", ANSWER, now=NOW)
    later = NOW + timedelta(days=1, seconds=1)
    assert store.recall_answer("me", "key", now=later) is None
    assert store.keep_answer("me", "key", OTHER, now=later) == OTHER


def minutes(store: Store) -> list[Candle]:
    """Without what depends on the way there."""
    held = store.candles(PUSHED, M1, start=None, end=None, limit=10)
    return [replace(one, revision=0, observed_at=NOW) for one in held]


def test_of_each_tick_is_told_what_became_of_it(store: Store) -> None:
    first, other = tick(1, "10:00"), tick(2, "10:00")
    assert store.keep_ticks("webhook", [first, other, first]) == [Kept.ADDED, Kept.ADDED, Kept.DUPLICATE]
    dearer, unknown = (
        msgspec.structs.replace(first, price=Decimal(6)),
        msgspec.structs.replace(other, side=Side.UNKNOWN),
    )
    fresh = tick(3, "10:00")
    fates = store.keep_ticks("webhook", [dearer, fresh, unknown, other])
    assert fates == [Kept.CONFLICT, Kept.ADDED, Kept.CONFLICT, Kept.DUPLICATE]
    assert store.trades(PUSHED, Span(at("10:00"), at("11:00")), limit=10) == [first, other, fresh]
    assert store.keep_ticks("webhook", []) == []


def test_there_is_room_for_ticks_of_any_day(store: Store) -> None:
    old = msgspec.structs.replace(tick(1, "10:00"), time_ns=nanoseconds(at("10:00") - timedelta(days=300)))
    assert store.keep_ticks("webhook", [old, old]) == [Kept.ADDED, Kept.DUPLICATE]


def test_what_cannot_be_a_tick_is_refused_with_all_of_its_call(store: Store) -> None:
    with pytest.raises(StoreError):
        store.keep_ticks("webhook", [tick(1, "10:00"), msgspec.structs.replace(tick(2, "10:00"), price=Decimal(0))])
    with pytest.raises(NotFound):
        store.keep_ticks("coinbase", [tick(1, "10:00")])
    assert store.trades(PUSHED, Span(at("10:00"), at("11:00")), limit=10) == []


@pytest.mark.parametrize("seed", range(8))
def test_minutes_are_what_folding_their_ticks_gives(store: Store, seed: int) -> None:
    dice = Random(seed)
    sides = [Side.BUY, Side.SELL] + ([Side.UNKNOWN] if seed % 2 else [])
    told = [
        msgspec.structs.replace(
            tick(dice.randrange(50), f"10:0{dice.randrange(3)}:{dice.randrange(3):02}", dice.choice(sides)),
            price=Decimal(dice.randrange(1, 10 ** dice.randrange(1, 20))) / 1_000,
            size=Decimal(dice.randrange(1, 10**12)) / 10**8,
            count=dice.choice([1, 1, 3]),
        )
        for _ in range(60)
    ]
    spans = [Span(at("10:00"), at("10:03"))]
    for start in range(0, len(told), 20):
        store.keep_ticks("webhook", told[start : start + 20])
        store.fold_ticks(PUSHED, spans)
    kept = store.trades(PUSHED, spans[0], limit=100)
    assert minutes(store) == [replace(one, observed_at=NOW) for one in fold_pushed(PUSHED, kept)]


def test_folding_again_changes_nothing_and_only_the_minutes_asked_for_are_folded(store: Store) -> None:
    store.keep_ticks("webhook", [tick(1, "10:00"), tick(2, "10:01"), tick(3, "10:05")])
    spans = [Span(at("10:00"), at("10:02")), Span(at("10:01"), at("10:03"))]
    assert store.fold_ticks(PUSHED, spans) == 2
    assert store.fold_ticks(PUSHED, spans) == 0
    assert [one.revision for one in store.candles(PUSHED, M1, start=None, end=None, limit=10)] in ([0, 0], [1, 1])
    assert [one.open_time for one in minutes(store)] == [at("10:00"), at("10:01")]


def test_an_operators_word_over_a_minute_stands(store: Store) -> None:
    store.keep_ticks("webhook", [tick(1, "10:00")])
    store.fold_ticks(PUSHED, [Span(at("10:00"), at("10:01"))])
    (held,) = store.candles(PUSHED, M1, start=None, end=None, limit=1)
    store.put_candles([replace(held, source=Source.MANUAL, high=Decimal(1_000))])
    store.keep_ticks("webhook", [tick(2, "10:00")])
    store.fold_ticks(PUSHED, [Span(at("10:00"), at("10:01"))])
    assert [one.high for one in minutes(store)] == [1_000]


@pytest.mark.parametrize("exchange", ["synthetic", "synthetic_quotes", "coinbase-simulated", "webhook-simulated"])
def test_an_invented_market_is_labelled_so_or_not_taken(store: Store, exchange: str) -> None:
    real = Instrument(exchange, "FOO-BAR", "FOO", "BAR")
    with pytest.raises(StoreError):
        store.put_instruments([real])
    store.put_instruments([replace(real, simulated=True)])
    assert replace(real, simulated=True) in store.instruments()
