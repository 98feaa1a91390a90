"""What stores know of ticks that others push, and of answers that were given."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.times import nanoseconds
from marketdata.model.trade import Side, Trade
from marketdata.store.kept_answers import KeptAnswer
from marketdata.store.memory import MemoryStore
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
