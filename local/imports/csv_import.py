"""A CSV file of candles, trades or quotes into the database, month by month, each in one transaction; repeatable."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

import psycopg
from marketdata.clock import Clock
from marketdata.compute.bars import Bars
from marketdata.compute.months import day_of, month_of
from marketdata.compute.quote_bars import QuoteBars
from marketdata.model.candle import Candle, Source
from marketdata.model.instrument import Instrument
from marketdata.model.quote import PriceSide, Quote, side_of
from marketdata.model.timeframe import M1
from marketdata.model.times import utc
from marketdata.model.trade import Trade

from local.imports.books import Books
from local.imports.copy_text import candle_lines, single_quote_lines, tick_lines
from local.imports.partition import CANDLES, QUOTES, TICKS, PartitionLoad

BUCKETS_KEPT = 2_000
"""How many minutes a late trade may be of."""


@dataclass(slots=True)
class ImportedFile:
    """How many rows of a file are in the database now, and how many candles."""

    rows: int = 0
    candles: int = 0
    months: int = 0


class CsvImport:
    """Loads one instrument's rows. `connection` is in autocommit; the months' transactions are made here.

    Raises: NotFound if the instrument is not known; psycopg.Error.
    """

    def __init__(
        self, connection: psycopg.Connection, instrument: Instrument, clock: Clock, say: Callable[[str], object]
    ) -> None:
        self._connection = connection
        self._books = Books(connection, clock)
        self._instrument = instrument
        self._say = say
        self.done = ImportedFile()

    def load_candles(self, candles: Iterable[Candle]) -> ImportedFile:
        """Load candles that are sorted by time."""
        number = self._books.number(self._instrument)
        for month, rows in groupby(candles, key=lambda candle: month_of(candle.open_time).start):
            with self._connection.transaction():
                self._load_month(month, list(rows), number)
            self.done.rows = self.done.candles
            self._tell(month)
        return self.done

    def load_trades(self, trades: Iterable[Trade], *, ids_contiguous: bool) -> ImportedFile:
        """Load trades that are sorted by time, and the candles that they make."""
        number = self._books.number(self._instrument)
        # One set of bars for all months: the last minute of one is proven by the first trade of the next.
        bars = Bars(*self._instrument.key, ids_contiguous=ids_contiguous, buckets_max=BUCKETS_KEPT)
        for month, rows in groupby(trades, key=lambda trade: month_of(utc(trade.time_ns)).start):
            with self._connection.transaction():
                candles: list[Candle] = []
                for day, traded in groupby(rows, key=lambda trade: day_of(utc(trade.time_ns)).start):
                    candles += self._load_ticks(day, list(traded), bars, number)
                believed = [_believable(one, ids_contiguous=ids_contiguous) for one in _newest(candles)]
                self._load_candles(believed, number)
            self._tell(month)
        return self.done

    def load_quotes(self, quotes: Iterable[Quote], *, usual: PriceSide) -> ImportedFile:
        """Load quotes that are sorted by time, and the candles that they make of the price that the symbol says.

        Quotes are filed under the plain symbol, whose price is the `usual` one.
        """
        plain, side = side_of(self._instrument.symbol, usual)
        number = self._books.number(self._instrument)
        number_of_quotes = self._books.number(replace(self._instrument, symbol=plain))
        for month, rows in groupby(quotes, key=lambda quote: month_of(utc(quote.time_ns)).start):
            known = list(rows)
            bars = QuoteBars(*self._instrument.key, side)
            bars.add(known)
            with self._connection.transaction():
                PartitionLoad(self._connection, QUOTES, month).load([single_quote_lines(known, number_of_quotes)])
                self._load_month(month, bars.candles((), Source.PARTIAL), number)
            self.done.rows += len(known)
            self._tell(month)
        return self.done

    def finish(self) -> None:
        """Bring rollups, coverage and the ledger up to date."""
        self._books.close()

    def _load_ticks(self, day: datetime, trades: Sequence[Trade], bars: Bars, number: int) -> list[Candle]:
        """Load a day's trades; returns what the candles of them are by now."""
        PartitionLoad(self._connection, TICKS, day).load([tick_lines(trades, number)])
        for trade in trades:
            bars.add(trade)
        self.done.rows += len(trades)
        return [change.candle for change in bars.take()]

    def _load_candles(self, candles: Sequence[Candle], number: int) -> None:
        for month, rows in groupby(candles, key=lambda candle: month_of(candle.open_time).start):
            self._load_month(month, list(rows), number)

    def _load_month(self, month: datetime, candles: Sequence[Candle], number: int) -> None:
        minutes = [one for one in candles if one.timeframe == M1]
        others = [one for one in candles if one.timeframe != M1]
        load = PartitionLoad(self._connection, CANDLES, month)
        if minutes:
            self.done.candles += load.load([candle_lines(minutes, number)]).rows
        # After the minutes: a month that is there would not be new any more.
        self._books.make_room(month_of(month))
        if others:
            self.done.candles += load.merge([candle_lines(others, number)])
        self.done.months += 1

    def _tell(self, month: datetime) -> None:
        self._say(f"{month:%Y-%m}: {self.done.rows:,} rows")


def _newest(candles: Iterable[Candle]) -> list[Candle]:
    """Each minute once, as it was said last, oldest first."""
    return [one for _, one in sorted({candle.open_time: candle for candle in candles}.items())]


def _believable(candle: Candle, *, ids_contiguous: bool) -> Candle:
    """Bars call a minute whole in which a connection held; a file has none, so only ids can prove something."""
    return candle if ids_contiguous else replace(candle, source=Source.PARTIAL)
