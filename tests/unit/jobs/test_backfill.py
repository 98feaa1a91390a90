"""Which exchanges a backfill asks, and for how long it keeps them open."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta

from marketdata.clock import FakeClock
from marketdata.jobs.backfill import backfill
from marketdata.jobs.exchange_past import ExchangePast
from marketdata.model.timeframe import M1

from tests.market import BTC, ETH, a_store, at
from tests.unit.jobs.past_exchange import ago

NOON = at("12:00")


def test_every_exchange_of_the_store_is_opened_once_and_closed_again() -> None:
    events: list[str] = []

    @contextlib.contextmanager
    def open_past(exchange: str) -> Iterator[ExchangePast]:
        events.append(f"open {exchange}")
        yield ExchangePast(lambda _: b"[]")
        events.append(f"close {exchange}")

    backfill(a_store(), FakeClock(NOON), NOON + timedelta(seconds=30), open_past=open_past)
    assert sorted(events) == sorted(f"{verb} {one.exchange}" for verb in ("open", "close") for one in (BTC, ETH))


def test_gaps_of_an_exchange_that_cannot_be_asked_are_left_alone() -> None:
    store = a_store()
    store.record_gaps(BTC, M1, [ago(0, minutes=1)], cause="scan", found_at=NOON)
    result = backfill(store, FakeClock(NOON), NOON + timedelta(seconds=30))
    assert result["claimed"] == 0
    assert [gap.attempts for gap in store.gaps(limit=10)] == [0]
