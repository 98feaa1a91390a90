"""Candles a second into the store, through the whole stack; and what a drain of the dirty queue costs.

Beside the production path (SupabaseStore over HTTP through the gateway, PostgREST and every trigger) run a prepared
psycopg executemany of the same rows into the same table, in one transaction, and a raw COPY into a table without key or
triggers: what the database itself could do. Same rows, one run, one after the other.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.supabase import SupabaseStore

from benchmarks.result import Result, Table
from local.supabase import LocalSupabase
from local.supabase_gateway import SupabaseGateway

ROWS = 20_000
INSTRUMENTS = 100
START = datetime(2026, 8, 3, tzinfo=UTC)
Announce = Callable[[str], None]

_INSERT = """
insert into candles (instrument_id, timeframe, open_time, open, high, low, close, volume, quote_volume,
  taker_buy_volume, trades, first_id, last_id, source)
values (%s, 1, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 4)
on conflict (instrument_id, timeframe, open_time) do update set close = excluded.close, source = excluded.source
"""


def run(announce: Announce) -> Result:
    """Start a stack of its own in a temporary folder, and measure."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalSupabase(Path(folder), fsync=False) as stack,
        SupabaseGateway(stack.rest_url, stack.keys) as gateway,
        closing(SupabaseStore(gateway.url, stack.service_key)) as store,
    ):
        return _measure(store, stack.dsn, announce)


def _measure(store: SupabaseStore, dsn: str, announce: Announce) -> Result:
    instruments = [Instrument("bench", f"C{number:03}-USD", f"C{number:03}", "USD") for number in range(INSTRUMENTS)]
    store.put_instruments(instruments)
    store.ensure_partitions(Span(START, START + timedelta(days=4)))
    candles = [_candle(instruments[n % INSTRUMENTS], n // INSTRUMENTS, Decimal(100)) for n in range(ROWS)]
    changed = [replace(candle, close=candle.high, last_id=candle.last_id + 1) for candle in candles if candle.last_id]
    announce(f"{ROWS:,} candles of {INSTRUMENTS} instruments")
    rates = [
        ("SupabaseStore: new", _rate(lambda: store.put_candles(candles))),
        ("SupabaseStore: the same again", _rate(lambda: store.put_candles(candles))),
        ("SupabaseStore: every row changed", _rate(lambda: store.put_candles(changed))),
    ]
    announce("draining the queue")
    drains = [("everything above, into 7 timeframes", _seconds(lambda: _drain(store)))]
    minute = [_candle(instrument, ROWS // INSTRUMENTS, Decimal(101)) for instrument in instruments]
    store.put_candles(minute)
    drains.append((f"one minute of {INSTRUMENTS} instruments", _seconds(lambda: _drain(store))))
    announce("the same rows without the stack")
    rates += _bare(dsn, candles)
    base = rates[0][1]
    return Result(
        "store",
        (
            Table(
                "Candles into the store",
                ("way", "rows/s", "x SupabaseStore: new"),
                tuple((name, f"{rate:,.0f}", f"{rate / base:.2f}") for name, rate in rates),
            ),
            Table("Rolling up", ("what", "ms"), tuple((name, f"{seconds * 1000:,.0f}") for name, seconds in drains)),
        ),
        ("Batches of 1,000 rows, every trigger and check on, fsync off; shared cores: trust the ratios.",),
    )


def _bare(dsn: str, candles: list[Candle]) -> list[tuple[str, float]]:
    rows = [_row(candle) for candle in candles]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("delete from candles")
        with connection.transaction(), connection.cursor() as cursor:
            inserted = _rate(lambda: cursor.executemany(_INSERT, rows))
            cursor.execute("create table bare as select * from candles limit 0")
            copied = _rate(lambda: _copy(cursor, rows))
    return [("psycopg executemany, same table and triggers", inserted), ("raw COPY, no key, no triggers", copied)]


def _copy(cursor: "psycopg.Cursor[tuple[object, ...]]", rows: list[tuple[object, ...]]) -> None:
    prices, counts = "open, high, low, close, volume", "quote_volume, taker_buy_volume, trades, first_id, last_id"
    with cursor.copy(f"copy bare (instrument_id, open_time, {prices}, {counts}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def _row(candle: Candle) -> tuple[object, ...]:
    prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    counts = (candle.quote_volume, candle.taker_buy_volume, candle.trades, candle.first_id, candle.last_id)
    return (int(candle.symbol[1:4]) + 1, candle.open_time, *prices, *counts)


def _candle(instrument: Instrument, minute: int, price: Decimal) -> Candle:
    return Candle(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        timeframe=M1,
        open_time=START + timedelta(minutes=minute),
        open=price,
        high=price + Decimal("0.51"),
        low=price - Decimal("0.49"),
        close=price + Decimal("0.13"),
        volume=Decimal("12.34567891"),
        quote_volume=Decimal("1234.5678912345"),
        trades=87,
        taker_buy_volume=Decimal("6.00000001"),
        first_id=10_000 + minute * 100,
        last_id=10_086 + minute * 100,
        source=Source.PROVEN,
    )


def _drain(store: SupabaseStore) -> None:
    while store.roll_up():
        pass


def _rate(work: Callable[[], object]) -> float:
    return ROWS / _seconds(work)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
