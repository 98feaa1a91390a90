"""Binance's archive of whole days: which files, whether they are whole, and what is in them."""

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import pytest
from marketdata.errors import RemoteMalformed, RequestInvalid
from marketdata.exchanges.binance_archive import BinanceArchive
from marketdata.model.candle import Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.model.trade import Side, Trade

from tests.captures import FOLDER, needs_captures

DAY = datetime(2024, 12, 31, tzinfo=UTC)
AGGREGATE = "7,10.5,2.0,100,104,1735603200123,True,True"
SINGLE = "12,10.5,2.0,21.0,1735603200123,False,True"
KLINE = "1735603200000,10,12.5,9,11,3.5,1735603259999,37.75,4,1.5,16,0"


def zipped(*lines: str, name: str = "a.csv") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, "".join(f"{line}\n" for line in lines))
    return packed.getvalue()


def trades(body: bytes, kind: str = "aggTrades") -> list[Trade]:
    return list(BinanceArchive(kind=kind).parse_trades(body, "BNBBTC"))


def test_only_whole_days_are_asked_for_each_with_its_checksum() -> None:
    span = Span(DAY - timedelta(hours=30), DAY + timedelta(hours=47))
    days = BinanceArchive().trade_days("BNBBTC", span)
    assert [day.span.start for day in days] == [DAY - timedelta(days=1), DAY]
    path = "/data/spot/daily/aggTrades/BNBBTC/BNBBTC-aggTrades-2024-12-31.zip"
    assert (days[1].request.path, days[1].checksum.path) == (path, f"{path}.CHECKSUM")
    (candles,) = BinanceArchive().candle_days("BNBBTC", M1, Span(DAY, DAY + timedelta(days=1)))
    assert candles.request.path == "/data/spot/daily/klines/BNBBTC/1m/BNBBTC-1m-2024-12-31.zip"
    with pytest.raises(RequestInvalid):
        BinanceArchive().candle_days("BNBBTC", timeframe_named("1w"), span)


def test_a_file_is_what_its_checksum_says_or_refused() -> None:
    body = zipped(AGGREGATE)
    BinanceArchive().verify(body, f"{sha256(body).hexdigest()}  a.zip\n".encode())
    for wrong in (body[:-1], body + b"x"):
        with pytest.raises(RemoteMalformed, match="checksum"):
            BinanceArchive().verify(wrong, f"{sha256(body).hexdigest()}  a.zip\n".encode())
    with pytest.raises(RemoteMalformed, match="no checksum"):
        BinanceArchive().verify(body, b"<html>Not found</html>")


def test_times_are_milliseconds_before_2025_and_microseconds_from_then_on() -> None:
    (old,) = trades(zipped(AGGREGATE))
    (new,) = trades(zipped(AGGREGATE.replace("1735603200123", "1735689600123456")))
    assert old == Trade("BNBBTC", 100, 1735603200123_000_000, Decimal("10.5"), Decimal(2), Side.SELL, count=5)
    assert new.time_ns == 1735689600123456_000
    (candle,) = BinanceArchive().parse_candles(
        zipped(KLINE.replace("1735603200000", "1735689600000000")), "BNBBTC", M1, DAY
    )
    assert candle.open_time == DAY + timedelta(days=1)


def test_single_trades_and_candles_are_read_with_all_that_they_say() -> None:
    (single,) = trades(zipped(SINGLE), "trades")
    assert (single.id, single.count, single.side, single.size) == (12, 1, Side.BUY, Decimal(2))
    (candle,) = BinanceArchive().parse_candles(zipped(KLINE), "BNBBTC", M1, DAY)
    assert (candle.open_time, candle.source, candle.observed_at) == (DAY, Source.VENUE, DAY)
    assert (candle.trades, candle.quote_volume, candle.taker_buy_volume) == (4, Decimal("37.75"), Decimal("1.5"))


def test_a_line_of_names_and_aggregates_that_were_taken_back_are_no_trades() -> None:
    back = "8,0,0,-1,-1,1735603200124,True,True"
    names = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
    assert [trade.id for trade in trades(zipped(names, back, AGGREGATE))] == [100]


def bad_files() -> Iterator[bytes]:
    yield b""
    yield b"<html>"
    yield zipped(AGGREGATE)[:-30]
    yield zipped("7,10.5")
    yield zipped(AGGREGATE.replace("10.5", "NaN"))
    yield zipped(AGGREGATE.replace("True,True", "maybe,True"))
    yield zipped(AGGREGATE.replace("100,104", "104,100"))
    yield zipped(AGGREGATE.replace("1735603200123", "0"))
    yield zipped("<xml>")
    yield zipped("é")
    two = io.BytesIO()
    with zipfile.ZipFile(two, "w") as archive:
        archive.writestr("a.csv", AGGREGATE)
        archive.writestr("b.csv", AGGREGATE)
    yield two.getvalue()


@pytest.mark.parametrize("body", [*bad_files()])
def test_a_file_that_cannot_be_is_malformed(body: bytes) -> None:
    with pytest.raises(RemoteMalformed):
        trades(body)
    with pytest.raises(RemoteMalformed):
        BinanceArchive().parse_candles(body, "BNBBTC", M1, DAY)


@needs_captures
def test_a_real_day_of_candles_is_read_whole() -> None:
    text = (FOLDER / "binance/klines_ADABTC-1m-2021-11-27.csv").read_text()
    rows = [line.split(",") for line in text.splitlines()]
    candles = BinanceArchive().parse_candles(zipped(*text.splitlines()), "ADABTC", M1, DAY)
    traded = [row for row in rows if row[8] != "0"]
    assert [(str(one.close), str(one.volume), one.trades) for one in candles] == [
        (row[4], row[5], int(row[8])) for row in traded
    ]
    assert len(candles) > 1_400
