"""A new instrument's past is wanted, and ordered once."""

from dataclasses import replace
from datetime import timedelta

from marketdata.clock import FakeClock
from marketdata.jobs.backfill import backfill
from marketdata.jobs.order_history import order_history
from marketdata.model.gap import Gap, GapState
from marketdata.model.span import Span
from marketdata.store.memory import MemoryStore

from tests.market import BTC, ETH, at

NOON = at("12:00")
DAY = timedelta(days=1)


def a_young_store(clock: FakeClock) -> MemoryStore:
    store = MemoryStore(clock)
    store.put_instruments([BTC, ETH])
    return store


def order(store: MemoryStore, clock: FakeClock, days: float = 10) -> dict[str, object]:
    return order_history(store, clock, clock.now() + timedelta(seconds=30), history=timedelta(days=days))


def ledger(store: MemoryStore) -> list[Gap]:
    return store.gaps(limit=100)


def test_the_time_before_an_instrument_was_added_is_ordered_as_one_gap() -> None:
    clock = FakeClock(NOON)
    store = a_young_store(clock)
    answered = order(store, clock)
    assert [(gap.symbol, gap.span, gap.cause) for gap in ledger(store)] == [
        (one.symbol, Span(NOON - 10 * DAY, NOON), "history") for one in (BTC, ETH)
    ]
    assert answered == {
        "ordered": [{"exchange": one.exchange, "symbol": one.symbol, "minutes": 14_400} for one in (BTC, ETH)]
    }


def test_what_was_ordered_is_not_ordered_again() -> None:
    clock = FakeClock(NOON)
    store = a_young_store(clock)
    order(store, clock)
    for gap in store.claim_gaps("worker", now=NOON, lease_seconds=60, limit=10):
        store.resolve_gap(gap, state=GapState.UNRECOVERABLE, now=NOON, reason="nothing there")
    clock.advance(DAY)
    assert order(store, clock) == {"ordered": []}
    assert len(ledger(store)) == 2


def test_an_instrument_that_is_added_later_gets_its_history_too() -> None:
    clock = FakeClock(NOON)
    store = a_young_store(clock)
    order(store, clock)
    clock.advance(DAY)
    store.put_instruments([replace(BTC, symbol="SOL-USD", base="SOL")])
    order(store, clock)
    assert ledger(store)[-1].symbol == "SOL-USD"
    assert ledger(store)[-1].span == Span(NOON - 9 * DAY, NOON + DAY)


def test_more_history_is_ordered_when_more_is_wanted() -> None:
    clock = FakeClock(NOON)
    store = a_young_store(clock)
    order(store, clock, days=10)
    order(store, clock, days=20)
    assert [gap.span for gap in ledger(store)] == [Span(NOON - 20 * DAY, NOON)] * 2


def test_a_backfill_orders_nothing_of_an_exchange_that_cannot_be_asked() -> None:
    clock = FakeClock(NOON)
    store = a_young_store(clock)
    assert backfill(store, clock, NOON + timedelta(seconds=30))["ordered"] == []
    assert ledger(store) == []
