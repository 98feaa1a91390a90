"""The database as its tests speak to it: candles in, rows out, no client in between."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
from marketdata.model.candle import Candle, Source
from marketdata.model.span import Span
from marketdata.model.timeframe import M1, TIMEFRAMES, Timeframe, timeframe_of_minutes
from marketdata.model.times import EPOCH
from psycopg import sql
from psycopg.rows import dict_row, scalar_row
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from local.supabase import prepare_platform

# A Monday, eight days before a month ends: what is built on it crosses weeks and months.
START = datetime(2026, 11, 23, tzinfo=UTC)

_VALUES = (
    "open, high, low, close, volume, quote_volume, taker_buy_volume, trades, first_id, last_id, source, observed_at"
)
_UPSERT: LiteralString = f"""
insert into public.candles (instrument_id, timeframe, open_time, {_VALUES}, derived, revision)
select instrument_id, timeframe, open_time, {_VALUES}, derived, revision
from jsonb_populate_recordset(null::public.candles, %s)
order by instrument_id, timeframe, open_time
on conflict (instrument_id, timeframe, open_time)
do update set ({_VALUES}, derived, revision) = (
  select {", ".join("excluded." + name for name in _VALUES.split(", "))}, excluded.derived, excluded.revision
)
"""


def minute(index: int, start: datetime = START, **changes: Any) -> Candle:
    """The `index`-th minute after `start`: a proven candle that differs from its neighbours, with `changes`."""
    price = Decimal(10_000 + (index * 7919) % 997) / 100
    candle = Candle(
        exchange="coinbase",
        symbol="BTC-USD",
        timeframe=M1,
        open_time=start + timedelta(minutes=index),
        open=price,
        high=price + Decimal("1.5"),
        low=price - Decimal("0.25"),
        close=price + Decimal("0.125"),
        volume=Decimal(index % 13 + 1) / 8,
        quote_volume=price * (index % 13 + 1) / 8,
        trades=index % 5 + 1,
        taker_buy_volume=Decimal(index % 13) / 8,
        first_id=index * 10,
        last_id=index * 10 + 4,
        source=Source.PROVEN,
    )
    return replace(candle, **changes)


def span(first: int, last: int) -> Span:
    """From the opening of minute `first` to that of minute `last`, after START."""
    return Span(START + timedelta(minutes=first), START + timedelta(minutes=last))


class Database:
    """One connection as the owner of everything, and one instrument's worth of shorthand."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        # A lock that is never given up fails a test, instead of holding it up for ever.
        self.connection = psycopg.connect(dsn, autocommit=True, options="-c lock_timeout=10s -c statement_timeout=60s")

    def add_instrument(self, symbol: str = "BTC-USD", timeframes: Sequence[Timeframe] = TIMEFRAMES) -> int:
        """Insert an instrument; its number."""
        return int(
            self.value(
                "insert into instruments (exchange, symbol, base, quote, timeframes)"
                " values ('coinbase', %s, 'BTC', 'USD', %s) returning id",
                symbol,
                [timeframe.minutes for timeframe in timeframes],
            )
        )

    def put(self, candles: Sequence[Candle], instrument: int = 1, *, derived: bool = False) -> int:
        """Upsert in one statement, as PostgREST does it: every column, the writer's revision too. Rows written."""
        rows = [_row(candle, instrument, derived) for candle in candles]
        return self.connection.execute(_UPSERT, (json.dumps(rows),)).rowcount

    def candles(self, timeframe: Timeframe = M1, instrument: int = 1) -> list[Candle]:
        """All candles of one timeframe, oldest first."""
        found = self.connection.cursor(row_factory=dict_row).execute(
            f"select timeframe, open_time, {_VALUES}, revision from candles"
            " where instrument_id = %s and timeframe = %s order by open_time",
            (instrument, timeframe.minutes),
        )
        return [_candle(row) for row in found]

    def drain(self) -> int:
        """Drain the queue to its end; how many entries there were."""
        total = 0
        while taken := int(self.value("select drain_dirty_v1()")):
            assert taken > 0, "another drainer is at work"
            total += taken
        return total

    def queued(self) -> int:
        """How many entries wait in the queue."""
        return int(self.value("select count(*) from internal.dirty"))

    def mark_empty(self, *spans: Span, timeframe: Timeframe = M1, instrument: int = 1) -> None:
        """Record that the exchange confirmed that nothing was traded."""
        ranges = Multirange([Range(one.start, one.end) for one in spans])
        self.value("select mark_empty_v1(%s::smallint, %s::smallint, %s)", instrument, timeframe.minutes, ranges)

    def coverage(self, timeframe: Timeframe = M1, instrument: int = 1) -> tuple[list[Span], list[Span]]:
        """What is covered, and what is known to be empty."""
        known = self.value("select get_coverage_v1(%s::smallint, %s::smallint)", instrument, timeframe.minutes)
        return _spans(known["covered"]), _spans(known["empty"])

    def value(self, query: LiteralString, *parameters: object) -> Any:
        """The first column of the first row."""
        return self.connection.cursor(row_factory=scalar_row).execute(query, parameters or None).fetchone()

    def rows(self, query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows."""
        return self.connection.execute(query, parameters or None).fetchall()

    def run(self, statement: LiteralString, *parameters: object) -> None:
        """A statement without an answer."""
        self.connection.execute(statement, parameters or None)


@contextmanager
def new_database(server_dsn: str, name: str) -> Iterator[str]:
    """A database of its own on the same server, as hosted Supabase hands it over; gone afterwards."""
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            dsn = server_dsn.removesuffix("postgres") + name
            prepare_platform(dsn)
            yield dsn
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _row(candle: Candle, instrument: int, derived: bool) -> dict[str, Any]:
    row = {name: getattr(candle, name) for name in (*_VALUES.split(", "), "open_time", "revision")}
    text = {name: str(value) if isinstance(value, Decimal | datetime) else value for name, value in row.items()}
    return {**text, "instrument_id": instrument, "timeframe": candle.timeframe.minutes, "derived": derived}


def _candle(row: dict[str, Any]) -> Candle:
    timeframe = timeframe_of_minutes(row.pop("timeframe"))
    times = {name: row.pop(name).astimezone(UTC) for name in ("open_time", "observed_at")}
    source = Source(row.pop("source"))
    return Candle(exchange="coinbase", symbol="BTC-USD", timeframe=timeframe, source=source, **times, **row)


def _spans(pairs: list[list[int]]) -> list[Span]:
    return [Span(*(EPOCH + timedelta(microseconds=edge) for edge in pair)) for pair in pairs]
