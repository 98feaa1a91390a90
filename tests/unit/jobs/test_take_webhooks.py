"""Pushed ticks: each counts once, whatever is sent again, breaks off, comes late, or comes from two sides at once."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marketdata.clock import FakeClock
from marketdata.compute.fold_pushed import fold_pushed
from marketdata.errors import StoreError
from marketdata.jobs.known_instruments import KnownInstruments
from marketdata.jobs.take_ticks import Taken
from marketdata.jobs.take_webhooks import take_symbols, take_webhook_ticks
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.model.times import rfc3339
from marketdata.model.trade import Side, Trade
from marketdata.store.memory import MemoryStore
from marketdata.store.pushed_ticks import Kept

from tests.market import BTC, at

NOW = at("12:00")
MARKET = Instrument("webhook", "BTCUSDT", "BTC", "USDT")
WHOLE = Span(at("09:00"), at("12:00"))
Item = dict[str, Any]
Written = TypeVar("Written")


def a_store(*more: Instrument) -> MemoryStore:
    store = MemoryStore()
    store.put_instruments([MARKET, BTC, *more])
    return store


def tick(clock: str, price: str = "100", volume: str = "1", **more: object) -> Item:
    return {"symbol": "BTCUSDT", "ts": rfc3339(at(clock)), "price": price, "volume": volume, **more}


def push(store: MemoryStore, *items: Item, clock: FakeClock | None = None) -> Taken:
    time = clock or FakeClock(NOW)
    body = json.dumps({"items": items}).encode()
    return take_webhook_ticks(
        store, KnownInstruments(store, time), time, body, ids_contiguous=lambda exchange: exchange == "coinbase"
    )


def counts(taken: Taken) -> tuple[int, int, int]:
    return taken.accepted, taken.duplicates, len(taken.rejected)


def ticks(store: MemoryStore, instrument: Instrument = MARKET) -> list[Trade]:
    return store.trades(instrument, WHOLE, limit=10_000)


def candles(store: MemoryStore) -> list[Candle]:
    """Without what depends on the way there."""
    held = store.candles(MARKET, M1, start=None, end=None, limit=10_000)
    return [replace(one, revision=0, observed_at=NOW) for one in held]


def shown(store: MemoryStore) -> list[str]:
    """Open, close and volume of each."""
    return [f"{one.open} {one.close} {one.volume}" for one in candles(store)]


def truth(store: MemoryStore) -> list[Candle]:
    """What folding every tick that is held gives."""
    return [replace(one, observed_at=NOW) for one in fold_pushed(MARKET, ticks(store))]


def test_a_batch_is_kept_and_folded_and_its_volume_is_the_sum() -> None:
    store = a_store()
    assert counts(push(store, tick("10:00", "5"), tick("10:00:30", "7", "2"), tick("10:01", "6"))) == (3, 0, 0)
    first, second = candles(store)
    assert shown(store) == ["5 7 3", "6 6 1"]
    assert (str(first.high), str(first.low), first.trades, first.taker_buy_volume) == ("7", "5", 2, None)
    assert second.source is Source.PARTIAL


def test_a_retry_doubles_nothing() -> None:
    store = a_store()
    batch = [tick("10:00"), tick("10:00"), tick("10:00:30", "7")]
    assert counts(push(store, *batch)) == (3, 0, 0)
    before = candles(store)
    assert counts(push(store, *batch)) == (0, 3, 0)
    assert counts(push(store, *reversed(batch))) == (0, 3, 0)
    assert candles(store) == before
    assert before[0].volume == 3


def test_a_late_tick_goes_where_it_belongs() -> None:
    store = a_store()
    push(store, tick("10:00:30", "5"), tick("10:00:40", "6"), tick("10:05", "9"))
    assert counts(push(store, tick("10:00:10", "1"))) == (1, 0, 0)
    assert shown(store) == ["1 6 3", "9 9 1"]
    push(store, tick("10:00:59", "2"))
    assert shown(store) == ["1 2 4", "9 9 1"]


def test_ids_that_run_against_time_do_not_turn_open_and_close_round() -> None:
    store = a_store()
    for second, id_, price in ((30, 1, "5"), (40, 2, "6"), (10, 9, "1"), (50, 0, "2")):
        push(store, tick(f"10:00:{second}", price, id=id_))
    assert shown(store) == ["1 2 4"]
    assert [(one.first_id, one.last_id) for one in candles(store)] == [(0, 9)]


def test_the_good_are_kept_the_bad_are_explained_and_the_conflicting_change_nothing() -> None:
    store = a_store()
    push(store, tick("10:00", id=1))
    taken = push(store, tick("10:00", "7", id=1), tick("10:01", "-7"), tick("10:01"), tick("10:01", symbol="XRP"))
    assert (taken.accepted, taken.duplicates) == (1, 0)
    assert [(one.index, one.field) for one in taken.rejected] == [(0, "id"), (1, "price"), (3, "symbol")]
    assert [one.price for one in ticks(store)] == [100, 100]


class BreakingStore(MemoryStore):
    """A store that breaks off, once, where it is told to; what it did so far is done."""

    def __init__(self, operation: str, done_first: bool) -> None:
        super().__init__()
        self.operation, self.done_first = operation, done_first

    def keep_ticks(self, exchange: str, ticks: Sequence[Trade]) -> list[Kept]:
        return self._maybe("keep_ticks", lambda: super(BreakingStore, self).keep_ticks(exchange, ticks))

    def fold_ticks(self, instrument: Instrument, spans: Sequence[Span]) -> int:
        return self._maybe("fold_ticks", lambda: super(BreakingStore, self).fold_ticks(instrument, spans))

    def _maybe(self, operation: str, write: Callable[[], Written]) -> Written:
        if operation != self.operation:
            return write()
        self.operation = ""
        if self.done_first:
            write()
        raise StoreError(operation, "the connection broke off")


@pytest.mark.parametrize("done_first", [False, True])
@pytest.mark.parametrize("operation", ["keep_ticks", "fold_ticks"])
def test_a_batch_that_failed_half_way_loses_and_doubles_nothing_when_it_is_sent_again(
    operation: str, done_first: bool
) -> None:
    store = BreakingStore(operation, done_first)
    store.put_instruments([MARKET])
    batch = [tick("10:00", id=1), tick("10:00:30"), tick("10:01")]
    with pytest.raises(StoreError):
        push(store, *batch)
    taken = push(store, *batch)
    assert taken.accepted + taken.duplicates == 3
    assert len(ticks(store)) == 3
    assert candles(store) == truth(store)


class RacedStore(MemoryStore):
    """Another pusher is done, from its first write to its last, between two steps of this one."""

    def __init__(self) -> None:
        super().__init__()
        self.other: list[Callable[[], object]] = []

    def fold_ticks(self, instrument: Instrument, spans: Sequence[Span]) -> int:
        if self.other:
            self.other.pop()()
        return super().fold_ticks(instrument, spans)


def test_two_pushers_at_once_end_in_the_candle_of_all_ticks() -> None:
    store = RacedStore()
    store.put_instruments([MARKET])
    store.other.append(lambda: push(store, tick("10:00:05", "3"), tick("10:00:55", "4")))
    push(store, tick("10:00:10", "1"), tick("10:00:50", "2"))
    assert shown(store) == ["3 4 4"]
    assert candles(store) == truth(store)


@pytest.mark.slow
@settings(max_examples=50)
@given(seed=st.integers(0, 2**32), parts=st.integers(1, 6))
def test_however_ticks_are_cut_shuffled_and_repeated_they_end_in_the_same_candles(seed: int, parts: int) -> None:
    dice = Random(seed)
    whole = [
        tick(f"10:0{dice.randrange(3)}:{dice.randrange(60):02}", str(dice.randrange(1, 9)), id=number)
        for number in range(20)
    ]
    pieces = [dice.sample(whole, dice.randrange(1, 21)) for _ in range(parts)]
    store, other = a_store(), a_store()
    accepted = sum(push(store, *piece).accepted for piece in [*pieces, whole])
    push(other, *whole)
    assert accepted == 20
    assert candles(store) == candles(other) == truth(store)


def test_an_operators_word_over_a_candle_stands() -> None:
    store = a_store()
    push(store, tick("10:00"))
    (held,) = store.candles(MARKET, M1, start=None, end=None, limit=1)
    store.put_candles([replace(held, source=Source.MANUAL, high=Decimal(1_000))])
    assert counts(push(store, tick("10:00:30"))) == (1, 0, 0)
    assert candles(store)[0].high == 1_000


def test_ticks_of_a_followed_market_need_its_name_and_are_proven_by_their_numbers() -> None:
    store = a_store()
    coinbase = [
        tick(clock, symbol="BTC-USD", exchange="coinbase", id=number, side="buy")
        for number, clock in enumerate(("10:00:59", "10:01:00", "10:01:59", "10:02:00"), 1)
    ]
    assert counts(push(store, *coinbase)) == (4, 0, 0)
    held = store.candles(BTC, M1, start=None, end=None, limit=10)
    assert (held[1].source, held[1].taker_buy_volume) == (Source.PROVEN, Decimal(2))
    assert push(store, tick("10:00", symbol="BTC-USD")).rejected[0].field == "symbol"


def test_a_market_that_is_only_pushed_has_no_gaps_because_nobody_could_fill_them() -> None:
    store = a_store()
    push(store, tick("10:00"))
    store.roll_up()
    found = store.find_gaps(now=NOW, history=timedelta(hours=2), grace=timedelta(minutes=1))
    ordered = store.find_history(now=NOW, history=timedelta(hours=2))
    assert {instrument for instrument, _ in [*found, *ordered]} == {BTC}


# Symbols


def register(store: MemoryStore, *items: Item) -> Taken:
    return take_symbols(store, json.dumps({"items": items}).encode())


def test_symbols_are_added_changed_and_left_as_they_are() -> None:
    store = MemoryStore()
    told = {"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "active": True}
    assert counts(register(store, told, {"symbol": "ETHUSDT"}, told, {"symbol": "?"})) == (2, 1, 1)
    assert [one.symbol for one in store.instruments()] == ["BTCUSDT", "ETHUSDT"]
    assert counts(register(store, told | {"active": False})) == (1, 0, 0)
    assert [one.active for one in store.instruments()] == [False, True]
    assert counts(register(store, told | {"active": False})) == (0, 1, 0)


def test_what_a_webhook_does_not_say_stays_as_an_operator_said_it() -> None:
    store = a_store(replace(MARKET, timeframes=(M1,)))
    register(store, {"symbol": "BTCUSDT", "base": "BTC", "quote": "TETHER"})
    (held,) = [one for one in store.instruments() if one.pushed]
    assert (held.timeframes, held.quote) == ((M1,), "TETHER")


def test_ticks_of_a_symbol_that_is_not_active_are_refused_until_it_is() -> None:
    store, clock = a_store(replace(MARKET, active=False)), FakeClock(NOW)
    known = KnownInstruments(store, clock)

    def sent() -> Taken:
        body = json.dumps(tick("10:00")).encode()
        return take_webhook_ticks(store, known, clock, body, ids_contiguous=lambda _: False)

    (rejected,) = sent().rejected
    assert "not active" in rejected.reason
    register(store, {"symbol": "BTCUSDT"})
    assert counts(sent()) == (1, 0, 0)


def test_a_symbol_that_was_added_a_moment_ago_is_found_at_once() -> None:
    store, clock = MemoryStore(), FakeClock(NOW)
    known = KnownInstruments(store, clock)
    body = json.dumps(tick("10:00")).encode()
    assert take_webhook_ticks(store, known, clock, body, ids_contiguous=lambda _: False).rejected
    register(store, {"symbol": "BTCUSDT"})
    assert take_webhook_ticks(store, known, clock, body, ids_contiguous=lambda _: False).accepted == 1


def test_there_is_an_end_to_symbols() -> None:
    store = a_store()
    store.put_instruments([replace(MARKET, symbol=f"A{number}USDT") for number in range(9_998)])
    (rejected,) = register(store, {"symbol": "SOLUSDT"}, {"symbol": "XRPUSDT"}).rejected
    assert (rejected.index, "one too many" in rejected.reason) == (1, True)


def test_a_taker_that_somebody_told_of_counts_where_all_did() -> None:
    store = a_store()
    push(store, tick("10:00", side="buy"), tick("10:00:30", side="sell"), tick("10:01", side="buy"), tick("10:01:01"))
    assert [one.taker_buy_volume for one in candles(store)] == [1, None]
    assert {one.side for one in ticks(store)} == {Side.BUY, Side.SELL, Side.UNKNOWN}
