"""What is the in-memory store's own business; what every store means is in tests/contract/test_store.py."""

from marketdata.model.timeframe import M1
from marketdata.store.memory import MemoryStore

from tests.contract.histories import BTC, ETH, M5, candle, span


def test_the_queue_does_not_outgrow_the_data_however_often_a_minute_changes() -> None:
    store = MemoryStore()
    store.put_instruments([BTC, ETH])
    for trades in range(500):
        store.put_candles([candle(0, trades=trades), candle(0, instrument=ETH, trades=trades)])
    assert store.roll_up() == 2


def test_a_drain_takes_the_oldest_changes_and_no_more_than_it_may() -> None:
    store = MemoryStore()
    store.put_instruments([BTC])
    store.put_candles([candle(24 * 60), candle(0)])
    assert store.roll_up(limit=1) == 1
    rolled_up = store.candles(BTC, M5, start=None, end=None, limit=10)
    assert [one.open_time for one in rolled_up] == [candle(24 * 60).open_time]
    assert store.roll_up(limit=1) == 1
    assert store.roll_up(limit=1) == 0


def test_silence_over_many_days_is_queued_day_by_day() -> None:
    store = MemoryStore()
    store.put_instruments([BTC])
    store.mark_empty(BTC, M1, [span(-5, 3 * 24 * 60)])
    assert store.roll_up(limit=2) == 2
    assert store.roll_up() == 2
