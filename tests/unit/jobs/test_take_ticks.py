"""Pushed trades: kept once, and their candles the same however they came."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marketdata.clock import FakeClock
from marketdata.errors import NotFound, RequestInvalid, StoreError
from marketdata.jobs import take_ticks as job
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.take_ticks import Taken, take_ticks
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.trade import Trade
from marketdata.store.memory import MemoryStore
from marketdata.store.store import Store

from tests.market import BTC, a_store, at, candle, trade

NOW = at("12:00")


def written(trade_id: int, clock: str, price: str = "100", size: str = "1", symbol: str = "BTC-USD") -> dict[str, Any]:
    time = at(clock).isoformat()
    return {"symbol": symbol, "id": trade_id, "time": time, "price": price, "size": size, "side": "buy"}


# A run of ids over four minutes: the second and third have a neighbour on either side.
RUN = [
    written(1, "10:00:50", "100"),
    written(2, "10:01:10", "101"),
    written(3, "10:01:20", "99"),
    written(4, "10:02:30", "102", "2.5"),
    written(5, "10:03:05", "103"),
]


def push(
    store: Store, trades: Sequence[dict[str, Any]], *, exchange: str = "coinbase", contiguous: bool = True
) -> Taken:
    clock = FakeClock(NOW)
    body = json.dumps({"exchange": exchange, "trades": trades}).encode()
    return take_ticks(store, KnownInstruments(store, clock), clock, body, ids_contiguous=lambda _: contiguous)


def candles_of(store: Store, instrument: Instrument = BTC) -> list[Candle]:
    return store.candles(instrument, M1, start=None, end=None, limit=100)


def trades_of(store: Store) -> list[Trade]:
    return store.trades(BTC, Span(at("09:00"), at("12:00")), limit=100)


def sources(store: Store) -> list[str]:
    return [one.source.label for one in candles_of(store)]


def test_trades_become_candles() -> None:
    store = a_store()
    assert push(store, RUN) == Taken(accepted=5, duplicates=0, rejected=())
    second = candles_of(store)[1]
    assert [second.open, second.high, second.low, second.close] == [101, 101, 99, 99]
    assert [second.volume, second.quote_volume, second.trades] == [2, 200, 2]
    assert (second.first_id, second.last_id) == (2, 3)


def test_a_minute_is_proven_by_its_neighbours_ids() -> None:
    store = a_store()
    push(store, RUN)
    assert sources(store) == ["partial", "proven", "proven", "partial"]


def test_a_missing_id_leaves_its_minute_partial_until_it_comes() -> None:
    store = a_store()
    push(store, [one for one in RUN if one["id"] != 3])
    assert sources(store) == ["partial"] * 4
    push(store, [RUN[2]])
    assert sources(store) == ["partial", "proven", "proven", "partial"]


def test_where_ids_prove_nothing_pushed_candles_stay_partial() -> None:
    store = a_store()
    push(store, RUN, contiguous=False)
    assert sources(store) == ["partial"] * 4


@given(st.permutations(RUN), st.lists(st.integers(0, 5), max_size=3))
def test_any_order_batching_and_repetition_ends_in_the_same_candles(
    trades: list[dict[str, Any]], cuts: list[int]
) -> None:
    expected, store = a_store(), a_store()
    push(expected, RUN)
    edges = [0, *sorted(cuts), len(trades)]
    for start, end in pairwise(edges):
        push(store, trades[start:end])
    push(store, trades[:2])
    without_revision = [
        [(one.open_time, one.open, one.high, one.low, one.close, one.volume, one.source) for one in candles_of(held)]
        for held in (store, expected)
    ]
    assert without_revision[0] == without_revision[1]
    assert trades_of(store) == trades_of(expected)


def test_a_retry_changes_nothing_and_is_told_so() -> None:
    store = a_store()
    push(store, RUN)
    before = candles_of(store)
    assert push(store, RUN) == Taken(accepted=0, duplicates=5, rejected=())
    assert candles_of(store) == before


def test_a_trade_twice_in_one_request_is_one_trade() -> None:
    store = a_store()
    assert push(store, [RUN[0], RUN[0]]) == Taken(accepted=1, duplicates=1, rejected=())
    assert candles_of(store)[0].volume == 1


def test_a_trade_that_contradicts_one_that_is_held_is_rejected() -> None:
    store = a_store()
    push(store, RUN)
    taken = push(store, [RUN[0] | {"price": "50"}])
    assert [(one.index, one.field) for one in taken.rejected] == [(0, "id")]
    assert candles_of(store)[0].low == 100


def test_a_better_candle_is_not_replaced() -> None:
    store = a_store()
    store.put_candles([candle(at("10:00"), source=Source.VENUE)])
    push(store, RUN)
    assert candles_of(store)[0].source is Source.VENUE


def test_an_unknown_symbol_is_rejected_and_the_others_are_kept() -> None:
    taken = push(a_store(), [written(1, "10:00:00", symbol="DOGE-USD"), RUN[0]])
    assert taken.accepted == 1
    assert [(one.index, one.field) for one in taken.rejected] == [(0, "symbol")]


def test_an_instrument_of_another_exchange_is_not_meant() -> None:
    taken = push(a_store(), [written(1, "10:00:00", symbol="ETH-USD")])
    assert [one.field for one in taken.rejected] == ["symbol"]


def test_an_exchange_that_is_not_followed_is_refused() -> None:
    with pytest.raises(NotFound) as refused:
        push(a_store(), RUN, exchange="kraken")
    assert refused.value.field == "exchange"


def test_a_request_touches_a_bounded_number_of_minutes() -> None:
    spread = [written(place, f"{9 + place // 60:02}:{place % 60:02}:00") for place in range(job.MINUTES_MAX + 1)]
    with pytest.raises(RequestInvalid, match="minutes"):
        push(a_store(), spread)


def test_nothing_good_is_nothing_written() -> None:
    store = a_store()
    assert push(store, [RUN[0] | {"side": "hold"}]).accepted == 0
    assert candles_of(store) == []


class FailingOnce(MemoryStore):
    """A store that takes trades, and fails to take their candles the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 1

    def put_candles(self, candles: Sequence[Candle]) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreError("put_candles", "the connection was cut")
        super().put_candles(candles)


def test_a_retry_after_the_store_failed_halfway_makes_the_candles() -> None:
    store = FailingOnce()
    store.put_instruments([BTC])
    with pytest.raises(StoreError):
        push(store, RUN)
    assert push(store, RUN).duplicates == 5
    assert len(candles_of(store)) == 4


def test_a_minute_of_more_trades_than_one_read_is_read_whole() -> None:
    store = a_store()
    first = trade(100, "10:00:01")
    crowd = [
        msgspec.structs.replace(first, id=100 + place, time_ns=first.time_ns + place * 1_000_000)
        for place in range(job.TRADES_A_READ + 500)
    ]
    store.put_trades("coinbase", crowd)
    push(store, [written(1, "10:00:00")])
    assert candles_of(store)[0].trades == job.TRADES_A_READ + 501
