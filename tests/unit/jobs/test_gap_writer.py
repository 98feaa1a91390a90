"""What was found out about a gap counts when it is written, and not before."""

from marketdata.jobs.gap_writer import GapWriter
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.memory import MemoryStore

from tests.market import BTC, MINUTE, at, candle

HOLE = Span(at("12:00"), at("12:02"))


def test_candles_count_as_missing_until_they_are_written() -> None:
    store = MemoryStore()
    store.put_instruments([BTC])
    writer = GapWriter(store, BTC, HOLE)
    writer.put([candle(HOLE.start)])
    assert writer.remaining == (HOLE,)
    writer.flush()
    assert writer.remaining == (Span(HOLE.start + MINUTE, HOLE.end),)
    assert len(store.candles(BTC, M1, start=None, end=None, limit=10)) == 1
