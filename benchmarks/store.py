"""Candles a second into the store, by the production client and through the whole local stack, beside bare Postgres.

The stack is what `make up` runs: embedded Postgres with fsync, the real PostgREST, the gateway. Calibration is the same
rows into the same table, triggers and all, by psycopg's executemany and by COPY. Then the drain that follows a minute
of 100 symbols. Times are wall clock: most of the work is done in other processes.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import cast

from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.model.timeframe import M1
from marketdata.store.candle_rows import candle_row
from psycopg import sql

from benchmarks.result import Result, Table
from benchmarks.stack import Stack, running_stack
from local.supabase_binaries import BinariesMissing

SYMBOLS = 100
MINUTES_A_BATCH = 10
"""100 symbols x 10 minutes: batches of 1,000 rows, the most that one write holds."""
BATCHES = 10
DRAINED_MINUTES = 10
START = datetime(2026, 8, 3, tzinfo=UTC)

_EXCHANGE = "benchmark"
_KEY = ("instrument_id", "timeframe", "open_time")
_COLUMNS = ("what is written", "rows/s, best batch", "rows/s, median batch", "ms a batch of 1,000, median")


def run(announce: Callable[[str], None]) -> Result:
    """Measure writes, then drains; one note instead where npm did not install Postgres and PostgREST."""
    try:
        with running_stack(announce) as stack:
            _prepare(stack)
            announce("writing candles")
            writes = _time_writes(stack)
            announce("draining the queue")
            drains = _time_drains(stack)
    except BinariesMissing as missing:
        return Result("store", (), (f"not measured: {missing}",))
    return Result("store", (_writes_table(writes), _drains_table(drains)), ())


def _prepare(stack: Stack) -> None:
    stack.store.put_instruments([Instrument(_EXCHANGE, symbol, symbol[:3], "USD") for symbol in _symbols()])
    stack.store.ensure_partitions(Span(START, START + timedelta(days=7)))


def _time_writes(stack: Stack) -> dict[str, list[float]]:
    """Seconds of each batch, by what was written and how; the ways take turns."""
    seconds: dict[str, list[float]] = {}
    for number in range(BATCHES):
        # Each way writes minutes of its own, so that all of them insert where nothing is.
        ours, plain, copied = (_candles(3 * number + way) for way in range(3))
        proven = [replace(candle, source=Source.PROVEN) for candle in ours]
        ways: dict[str, Callable[[], None]] = {
            "put_candles: new": partial(stack.store.put_candles, ours),
            "put_candles: the same again": partial(stack.store.put_candles, ours),
            "put_candles: partial become proven": partial(stack.store.put_candles, proven),
            "psycopg executemany, on conflict: new": _upserting(stack, plain),
            "COPY: new": _copying(stack, copied),
        }
        for name, write in ways.items():
            started = time.perf_counter()
            write()
            seconds.setdefault(name, []).append(time.perf_counter() - started)
        _drain(stack)
    return seconds


def _time_drains(stack: Stack) -> dict[str, list[float]]:
    """Seconds of the drain after one minute of all symbols; earlier minutes of the hour are there already."""
    seconds: dict[str, list[float]] = {"one minute of 100 symbols": [], "nothing new": []}
    start = START + timedelta(days=2)
    for number in range(DRAINED_MINUTES):
        stack.store.put_candles([_candle(symbol, start + M1.duration * number) for symbol in _symbols()])
        for taken in seconds.values():
            started = time.perf_counter()
            _drain(stack)
            taken.append(time.perf_counter() - started)
    return seconds


def _drain(stack: Stack) -> None:
    while stack.store.roll_up():
        pass


def _upserting(stack: Stack, candles: Sequence[Candle]) -> Callable[[], None]:
    """The statement that PostgREST makes of an upsert, row by row in one transaction, as psycopg pipelines it."""
    rows = _rows(stack, candles)
    names = list(rows[0])
    changed = [name for name in names if name not in _KEY]
    query = sql.SQL(
        "insert into public.candles ({names}) values ({values}) on conflict ({key}) do update set {changes}"
    ).format(
        names=_identifiers(names),
        values=sql.SQL(", ").join(sql.Placeholder() for _ in names),
        key=_identifiers(_KEY),
        changes=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed),
    )
    values = [tuple(row.values()) for row in rows]

    def write() -> None:
        with stack.connection.transaction(), stack.connection.cursor() as cursor:
            cursor.executemany(query, values)

    return write


def _copying(stack: Stack, candles: Sequence[Candle]) -> Callable[[], None]:
    rows = _rows(stack, candles)
    query = sql.SQL("copy public.candles ({}) from stdin").format(_identifiers(list(rows[0])))
    values = [tuple(row.values()) for row in rows]

    def write() -> None:
        with stack.connection.cursor() as cursor, cursor.copy(query) as copy:
            for value in values:
                copy.write_row(value)

    return write


def _identifiers(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _rows(stack: Stack, candles: Sequence[Candle]) -> list[dict[str, object]]:
    """The rows that the store sends, with the instruments' numbers."""
    found = stack.connection.execute("select symbol, id from public.instruments where exchange = %s", (_EXCHANGE,))
    ids = cast("dict[str, int]", dict(found.fetchall()))
    return [candle_row(candle, ids[candle.symbol]) for candle in candles]


def _symbols() -> list[str]:
    return [f"{number:03}-USD" for number in range(SYMBOLS)]


def _candles(batch: int) -> list[Candle]:
    """1,000 partial candles: ten minutes of every symbol."""
    first = batch * MINUTES_A_BATCH
    minutes = range(first, first + MINUTES_A_BATCH)
    return [_candle(symbol, START + M1.duration * minute) for minute in minutes for symbol in _symbols()]


def _candle(symbol: str, open_time: datetime) -> Candle:
    first_id = 1_000_000 + 100 * int((open_time - START) / M1.duration)
    return Candle(
        exchange=_EXCHANGE,
        symbol=symbol,
        timeframe=M1,
        open_time=open_time,
        open=Decimal("65083.67"),
        high=Decimal("65102.05"),
        low=Decimal("65080.10"),
        close=Decimal("65099.99"),
        volume=Decimal("1.03436161"),
        quote_volume=Decimal("67330.1203955912"),
        trades=100,
        taker_buy_volume=Decimal("0.50001000"),
        first_id=first_id,
        last_id=first_id + 99,
        source=Source.PARTIAL,
    )


def _writes_table(seconds: dict[str, list[float]]) -> Table:
    rows = SYMBOLS * MINUTES_A_BATCH
    return Table(
        f"Candles into the store, {BATCHES} batches of {rows:,} rows; wall clock",
        _COLUMNS,
        tuple(
            (
                name,
                f"{rows / min(taken):,.0f}",
                f"{rows / statistics.median(taken):,.0f}",
                f"{statistics.median(taken) * 1e3:,.1f}",
            )
            for name, taken in seconds.items()
        ),
    )


def _drains_table(seconds: dict[str, list[float]]) -> Table:
    return Table(
        "Draining the queue into coverage and seven coarser timeframes; wall clock",
        ("what is in the queue", "ms, best", "ms, median"),
        tuple(
            (name, f"{min(taken) * 1e3:,.1f}", f"{statistics.median(taken) * 1e3:,.1f}")
            for name, taken in seconds.items()
        ),
    )
