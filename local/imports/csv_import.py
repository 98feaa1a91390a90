"""A CSV file of candles or trades into the database, month by month, each in one transaction; repeatable."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

import psycopg
from marketdata.compute.bars import Bars
from marketdata.compute.months import month_of
from marketdata.errors import NotFound
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.times import utc
from marketdata.model.trade import Side, Trade
from psycopg import sql

from local.imports.copy_text import candle_lines
from local.imports.month import CANDLES, MonthLoad

BUCKETS_KEPT = 2_000
"""How many minutes a late trade may be of."""

_TICKS = ("instrument_id", "taker_buy", "count", "time", "trade_id", "price", "size")


@dataclass(slots=True)
class ImportedFile:
    """How many rows of a file are in the database now, and how many candles."""

    rows: int = 0
    candles: int = 0
    months: int = 0


class CsvImport:
    """Loads one instrument's rows. `connection` is in autocommit; the months' transactions are made here."""

    def __init__(self, connection: psycopg.Connection, instrument: Instrument, say: Callable[[str], object]) -> None:
        self._connection = connection
        self._instrument = instrument
        self._say = say
        self.done = ImportedFile()

    def load_candles(self, candles: Iterable[Candle]) -> ImportedFile:
        """Load candles that are sorted by time. Raises: NotFound if the instrument is not known; psycopg.Error."""
        number = self._number()
        for month, rows in groupby(candles, key=lambda candle: month_of(candle.open_time).start):
            with self._connection.transaction():
                self._load_month(month, list(rows), number)
            self.done.rows = self.done.candles
            self._say(f"{month:%Y-%m}: {self.done.rows:,} rows")
        return self.done

    def load_trades(self, trades: Iterable[Trade], *, ids_contiguous: bool) -> ImportedFile:
        """Load trades that are sorted by time, and the candles that they make. Raises: as load_candles."""
        number = self._number()
        # One set of bars for all months: the last minute of one is proven by the first trade of the next.
        bars = Bars(*self._instrument.key, ids_contiguous=ids_contiguous, buckets_max=BUCKETS_KEPT)
        for month, rows in groupby(trades, key=_month_of_trade):
            known = list(rows)
            for trade in known:
                bars.add(trade)
            candles = [_believable(change.candle, ids_contiguous=ids_contiguous) for change in bars.take()]
            with self._connection.transaction():
                self._copy_trades(known, number)
                for start, made in groupby(candles, key=lambda candle: month_of(candle.open_time).start):
                    self._load_month(start, list(made), number)
            self.done.rows += len(known)
            self._say(f"{month:%Y-%m}: {self.done.rows:,} rows")
        return self.done

    def finish(self) -> None:
        """Bring rollups and coverage up to date."""
        while (self._connection.execute("select public.drain_dirty_v1()").fetchone() or (0,))[0] > 0:
            continue

    def _load_month(self, month: datetime, candles: list[Candle], number: int) -> None:
        loaded = MonthLoad(self._connection, CANDLES, month).load([candle_lines(candles, number)])
        span = month_of(month)
        self._connection.execute("select internal.ensure_candle_partitions(%s, %s)", (span.start, span.end))
        self.done.candles += loaded.rows
        self.done.months += 1

    def _copy_trades(self, trades: list[Trade], number: int) -> None:
        """Into the days of ticks: what is there already stays."""
        span = month_of(_month_of_trade(trades[0]))
        self._connection.execute("select internal.ensure_tick_partitions(%s, %s)", (span.start, span.end))
        self._connection.execute("drop table if exists pg_temp.import_ticks")
        self._connection.execute("create temp table import_ticks (like public.ticks including defaults) on commit drop")
        names = sql.SQL(", ").join(map(sql.Identifier, _TICKS))
        with (
            self._connection.cursor() as cursor,
            cursor.copy(sql.SQL("copy import_ticks ({}) from stdin").format(names)) as copy,
        ):
            for line in _tick_lines(trades, number):
                copy.write(line)
        self._connection.execute(
            sql.SQL(
                "insert into public.ticks ({0}) select {0} from import_ticks order by {1} on conflict do nothing"
            ).format(names, sql.SQL("time, trade_id"))
        )

    def _number(self) -> int:
        row = self._connection.execute(
            "select id from public.instruments where exchange = %s and symbol = %s", self._instrument.key
        ).fetchone()
        if row is None:
            name = " ".join(self._instrument.key)
            raise NotFound("symbol", f"{name} is not known; `marketdata instruments add` it first")
        return int(row[0])


def _believable(candle: Candle, *, ids_contiguous: bool) -> Candle:
    """Bars call a minute whole in which a connection held; a file has none, so only ids can prove something."""
    return candle if ids_contiguous else replace(candle, source=Source.PARTIAL)


def _month_of_trade(trade: Trade) -> datetime:
    return month_of(utc(trade.time_ns)).start


def _tick_lines(trades: Iterable[Trade], number: int) -> Iterator[str]:
    for trade in trades:
        bought = "t" if trade.side is Side.BUY else "f"
        time = utc(trade.time_ns).isoformat()
        yield f"{number}\t{bought}\t{trade.count}\t{time}\t{trade.id}\t{trade.price}\t{trade.size}\n"
