"""CSV files of other people's shapes: columns found by a map, rows exact, what is odd named by its line."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from marketdata.clock import FakeClock
from marketdata.errors import NotFound, RequestInvalid
from marketdata.model.candle import Source
from marketdata.model.instrument import Instrument
from marketdata.model.quote import PriceSide
from marketdata.model.timeframe import M1, timeframe_named
from marketdata.model.times import EPOCH

from local.imports.csv_columns import Kind, column_map, read_candles, read_quotes, read_trades
from local.imports.csv_import import CsvImport
from tests.conftest import RunningSupabase
from tests.unit.local.imports.house import dump, migrated_database

CLOCK = FakeClock(datetime(2026, 11, 21, tzinfo=UTC))
BTC = Instrument("coinbase", "BTC-USD", "BTC", "USD")
OWN = "time,open,high,low,close,volume\n2024-01-31T23:59:00Z,1,3,0.5,2,0.00000001\n2024-02-01T00:00:00Z,2,2,2,2,5\n"
TRADES = "when,no,what,how much,who\n1706745599.5,7,10,1,buy\n1706745600,8,11,2,sell\n1706745660,9,12,1,B\n"


@pytest.fixture
def database(supabase: RunningSupabase) -> Iterator[psycopg.Connection]:
    with migrated_database(supabase.dsn) as connection:
        connection.execute(
            "insert into public.instruments (exchange, symbol, base, quote)"
            " values ('coinbase', 'BTC-USD', 'BTC', 'USD')"
        )
        yield connection


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "file.csv"
    path.write_text(text)
    return path


def load_candles(database: psycopg.Connection, path: Path, columns: str | None = None) -> int:
    load = CsvImport(database, BTC, CLOCK, lambda _sentence: None)
    done = load.load_candles(read_candles(path, column_map(Kind.CANDLES, columns), BTC, M1, EPOCH))
    load.finish()
    return done.candles


@pytest.mark.stack
def test_candles_are_exact_and_a_repeat_changes_nothing(database: psycopg.Connection, tmp_path: Path) -> None:
    assert load_candles(database, written(tmp_path, OWN)) == 2
    rows = database.execute(
        "select open, high, low, close, volume, source from public.candles where timeframe = 1 order by open_time"
    ).fetchall()
    assert rows == [
        (1, 3, Decimal("0.5"), 2, Decimal("0.00000001"), Source.VENUE),
        (2, 2, 2, 2, 5, Source.VENUE),
    ]
    before = dump(database)
    load_candles(database, tmp_path / "file.csv")
    assert dump(database) == before
    assert before["queue"] == b""


@pytest.mark.stack
def test_trades_become_ticks_and_candles(database: psycopg.Connection, tmp_path: Path) -> None:
    text = TRADES.replace("1706745599.5", "1706745599500")
    places = column_map(Kind.TRADES, "time=when,id=no,price=what,size=how much,side=who")
    load = CsvImport(database, BTC, CLOCK, lambda _sentence: None)
    trades = read_trades(written(tmp_path, text), places, BTC)
    done = load.load_trades(trades, ids_contiguous=True)
    load.finish()
    assert done.rows == 3
    held = database.execute("select trade_id, price, size, taker_buy from public.ticks order by time").fetchall()
    assert held == [(7, 10, 1, True), (8, 11, 2, False), (9, 12, 1, True)]
    # The minute after midnight is proven by trades on both sides, one of them in the month before.
    ranks = database.execute("select source from public.candles where timeframe = 1 order by open_time").fetchall()
    assert ranks == [(Source.PARTIAL,), (Source.PROVEN,), (Source.PARTIAL,)]


QUOTES = (
    "time,bid,ask,bid_size\n2024-01-31T23:59:30.5Z,1.1,1.3,5\n2024-01-31T23:59:30.5Z,1.2,1.4,\n2024-02-01,1.0,1.1,\n"
)


@pytest.mark.stack
def test_quotes_are_kept_and_become_candles_of_the_price_that_the_symbol_says(
    database: psycopg.Connection, tmp_path: Path
) -> None:
    for symbol in ("EUR_USD", "EUR_USD:bid"):
        database.execute(
            "insert into public.instruments (exchange, symbol, base, quote) values ('oanda', %s, 'EUR', 'USD')",
            (symbol,),
        )
    path, places = written(tmp_path, QUOTES), column_map(Kind.QUOTES, None)
    for symbol in ("EUR_USD", "EUR_USD:bid", "EUR_USD"):
        instrument = Instrument("oanda", symbol, "EUR", "USD")
        load = CsvImport(database, instrument, CLOCK, lambda _sentence: None)
        load.load_quotes(read_quotes(path, places, instrument), usual=PriceSide.MID)
        load.finish()
    held = database.execute(
        "select symbol, ordinal, bid, ask, bid_size from public.quotes"
        " join public.instruments on id = instrument_id order by time, ordinal"
    ).fetchall()
    assert held == [
        ("EUR_USD", 0, Decimal("1.1"), Decimal("1.3"), 5),
        ("EUR_USD", 1, Decimal("1.2"), Decimal("1.4"), None),
        ("EUR_USD", 0, Decimal("1.0"), Decimal("1.1"), None),
    ]
    candles = database.execute(
        "select symbol, open, close, trades, source from public.candles"
        " join public.instruments on id = instrument_id where timeframe = 1 order by symbol, open_time"
    ).fetchall()
    assert candles == [
        ("EUR_USD", Decimal("1.2"), Decimal("1.3"), 2, Source.PARTIAL),
        ("EUR_USD", Decimal("1.05"), Decimal("1.05"), 1, Source.PARTIAL),
        ("EUR_USD:bid", Decimal("1.1"), Decimal("1.2"), 2, Source.PARTIAL),
        ("EUR_USD:bid", Decimal("1.0"), Decimal("1.0"), 1, Source.PARTIAL),
    ]


@pytest.mark.stack
def test_candles_of_hours_stand_beside_those_of_minutes(database: psycopg.Connection, tmp_path: Path) -> None:
    load_candles(database, written(tmp_path, OWN))
    hours = written(tmp_path, "time,open,high,low,close,volume\n2024-01-31T23:00:00Z,1,9,0.5,2,7\n")
    load = CsvImport(database, BTC, CLOCK, lambda _sentence: None)
    load.load_candles(read_candles(hours, column_map(Kind.CANDLES, None), BTC, timeframe_named("1h"), EPOCH))
    load.finish()
    found = database.execute(
        "select high, derived from public.candles where timeframe = 60 order by open_time"
    ).fetchall()
    # What was reported stays; the other hour is rolled up.
    assert found == [(9, False), (2, True)]


def test_a_candle_of_minutes_is_no_candle_of_hours(tmp_path: Path) -> None:
    path = written(tmp_path, OWN)
    with pytest.raises(RequestInvalid, match="no candle of 1h opens at 2024-01-31 23:59:00"):
        list(read_candles(path, column_map(Kind.CANDLES, None), BTC, timeframe_named("1h"), EPOCH))


@pytest.mark.stack
def test_an_instrument_that_is_not_known_is_refused(database: psycopg.Connection, tmp_path: Path) -> None:
    other = Instrument("coinbase", "ETH-USD", "ETH", "USD")
    with pytest.raises(NotFound, match="instruments add"):
        CsvImport(database, other, CLOCK, lambda _sentence: None).load_candles([])


def test_columns_are_found_by_name_or_by_position(tmp_path: Path) -> None:
    named = written(tmp_path, "Open time,o,h,l,c,v,n\n1706745600000,1,3,1,2,9,4\n")
    by_name = column_map(Kind.CANDLES, "time=Open time,open=o,high=h,low=l,close=c,volume=v,trades=n")
    (one,) = read_candles(named, by_name, BTC, M1, EPOCH)
    bare = written(tmp_path, "1706745600,1,3,1,2,9,4\n")
    (other,) = read_candles(
        bare, column_map(Kind.CANDLES, "time=1,open=2,high=3,low=4,close=5,volume=6,trades=7"), BTC, M1, EPOCH
    )
    assert one == other
    assert (one.trades, one.close) == (4, Decimal(2))


@pytest.mark.parametrize(
    "columns",
    [
        "time=a",
        "price=a",
        "time",
        "time=0,open=1,high=1,low=1,close=1,volume=1",
        "time=1,open=o,high=1,low=1,close=1,volume=1",
    ],
)
def test_a_map_that_cannot_be_is_refused(columns: str) -> None:
    with pytest.raises(RequestInvalid, match="--columns"):
        column_map(Kind.CANDLES, columns)


@pytest.mark.parametrize(
    "row",
    [
        "2024-01-31T23:59:30Z,1,1,1,1,1",
        "yesterday,1,1,1,1,1",
        "2024-01-31,1,1,1,1,-1",
        "2024-01-31,1,1,1,NaN,1",
        "2024-01-31,2,1,1,1,1",
        "2024-01-31,1,1,1,1",
    ],
)
def test_a_row_that_cannot_be_is_named_by_its_line(row: str, tmp_path: Path) -> None:
    path = written(tmp_path, OWN + row + "\n")
    with pytest.raises(RequestInvalid, match="line 4"):
        list(read_candles(path, column_map(Kind.CANDLES, None), BTC, M1, EPOCH))


def test_a_file_without_a_column_says_which_ones_it_has(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match="no column 'open'"):
        list(read_candles(written(tmp_path, "time,Open\n"), column_map(Kind.CANDLES, None), BTC, M1, EPOCH))
