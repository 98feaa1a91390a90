"""Candles on their way to the store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from marketdata.compute.bars import Change
from marketdata.jobs.spool import Spool
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.timeframe import M1

BTC = Instrument("coinbase", "BTC-USD", "BTC", "USD")
NOON = datetime(2026, 8, 9, 12, tzinfo=UTC)


def change(minute: int, *, closed: bool = False, revised: bool = False, trades: int = 1) -> Change:
    price = Decimal(10)
    candle = Candle(
        exchange="coinbase",
        symbol="BTC-USD",
        timeframe=M1,
        open_time=NOON + timedelta(minutes=minute),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=price,
        quote_volume=price,
        trades=trades,
        taker_buy_volume=price,
        first_id=1,
        last_id=trades,
        source=Source.PROVEN if closed else Source.PARTIAL,
    )
    return Change(candle, closed, revised)


def test_a_newer_state_of_a_bucket_replaces_the_one_that_waits() -> None:
    spool = Spool(10)
    spool.put(BTC, change(0, trades=1))
    spool.put(BTC, change(0, trades=2))
    (waiting,) = spool.take(10)
    assert waiting.change.candle.trades == 2


def test_what_changed_while_the_store_was_writing_waits_on() -> None:
    spool = Spool(10)
    spool.put(BTC, change(0, trades=1))
    batch = spool.take(10)
    spool.put(BTC, change(0, trades=2))
    spool.done(batch)
    assert [waiting.change.candle.trades for waiting in spool.take(10)] == [2]


def test_what_the_store_did_not_take_is_taken_again() -> None:
    spool = Spool(10)
    spool.put(BTC, change(0))
    spool.failed(spool.take(10))
    assert len(spool) == 1
    assert len(spool.take(10)) == 1


def test_the_oldest_partial_candle_is_dropped_first_and_a_closed_one_never() -> None:
    spool = Spool(3)
    spool.put(BTC, change(0, closed=True))
    for minute in (1, 2, 3):
        spool.put(BTC, change(minute))
    assert [waiting.change.candle.open_time.minute for waiting in spool.take(10)] == [0, 2, 3]
    assert spool.dropped == 1
    only_closed = Spool(1)
    for minute in (0, 1, 2):
        only_closed.put(BTC, change(minute, closed=True))
    assert (len(only_closed), only_closed.dropped) == (3, 0)


def test_a_correction_of_what_was_never_announced_is_no_revision() -> None:
    spool = Spool(10)
    spool.put(BTC, change(0, closed=True))
    spool.put(BTC, replace(change(0, closed=True, trades=2), revised=True))
    (waiting,) = batch = spool.take(10)
    assert not waiting.change.revised
    spool.put(BTC, replace(change(0, closed=True, trades=3), revised=True))
    spool.done(batch)
    assert spool.take(10)[0].change.revised
