"""What is left of a day when the archive is away, or the time runs out in the middle of it."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from marketdata.errors import RemoteBlocked, RemoteError, RemoteThrottled, RemoteUnavailable
from marketdata.exchanges.binance_archive import BinanceArchive
from marketdata.exchanges.exchange import Request
from marketdata.jobs.exchange_past import ArchivePast
from marketdata.jobs.fill_by_archive import FOLD_EVERY, fill_by_archive
from marketdata.jobs.gap_writer import GapWriter
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.times import nanoseconds
from marketdata.store.memory import MemoryStore

BITCOIN = Instrument("binance", "BTCUSDT", "BTC", "USDT")
MIDNIGHT = datetime(2025, 3, 1, tzinfo=UTC)
DAY = Span(MIDNIGHT, MIDNIGHT + timedelta(days=1))
EVERY_SECONDS = 4
"""21,600 trades make the day."""


def packed_day() -> bytes:
    """An aggregate every four seconds."""
    start = nanoseconds(MIDNIGHT) // 1_000
    rows = (
        f"{number},100,1,{number},{number},{start + number * EVERY_SECONDS * 1_000_000},True,True\n"
        for number in range(86_400 // EVERY_SECONDS)
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTCUSDT-aggTrades-2025-03-01.csv", "".join(rows))
    return packed.getvalue()


def writer_of(get: Callable[[Request], bytes], go_on: Callable[[], bool]) -> GapWriter:
    store = MemoryStore()
    store.put_instruments([BITCOIN])
    writer = GapWriter(store, BITCOIN, DAY)
    fill_by_archive(writer, ArchivePast(get, BinanceArchive()), DAY, go_on)
    writer.flush()
    return writer


def test_what_was_read_when_the_time_ran_out_is_kept_and_the_rest_is_no_whole_day_any_more() -> None:
    """A day that never fits into one run would otherwise be fetched again and again, and never end."""
    body = packed_day()
    answers = iter((True, False))

    def get(request: Request) -> bytes:
        return sha256(body).hexdigest().encode() if request.path.endswith(".CHECKSUM") else body

    writer = writer_of(get, lambda: next(answers))
    whole_minutes = FOLD_EVERY * EVERY_SECONDS // 60
    assert writer.candles == whole_minutes
    (rest,) = writer.remaining
    assert rest == Span(MIDNIGHT + timedelta(minutes=whole_minutes), DAY.end)
    assert not BinanceArchive().trade_days("BTCUSDT", rest)


@pytest.mark.parametrize("error", [RemoteUnavailable("binance", "HTTP 503"), RemoteBlocked("binance", "HTTP 403")])
def test_an_archive_that_is_away_leaves_everything_to_the_other_ways(error: RemoteError) -> None:
    def get(_: Request) -> bytes:
        raise error

    writer = writer_of(get, lambda: True)
    assert writer.remaining == (DAY,)
    assert writer.notes == [f"archive: {error.reason}"]


def test_an_archive_that_asks_to_wait_is_waited_for() -> None:
    def get(_: Request) -> bytes:
        raise RemoteThrottled("binance", "HTTP 429", MIDNIGHT)

    with pytest.raises(RemoteThrottled):
        writer_of(get, lambda: True)
