"""What every import tells the database beside its rows: which instrument, what is empty, what is missing."""

import time
from typing import LiteralString

import psycopg
from marketdata.clock import Clock
from marketdata.compute.coverage import Spans
from marketdata.errors import NotFound
from marketdata.model.instrument import Instrument
from marketdata.model.span import Span
from marketdata.store.wire import multirange

DRAIN_SECONDS_MAX = 600.0


class Books:
    """One database's. `connection` is in autocommit or in the caller's transaction. All raise psycopg.Error."""

    def __init__(self, connection: psycopg.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def number(self, instrument: Instrument) -> int:
        """The number of an instrument. Raises: NotFound where it is not known."""
        row = self._connection.execute(
            "select id from public.instruments where exchange = %s and symbol = %s", instrument.key
        ).fetchone()
        if row is None:
            name = " ".join(instrument.key)
            raise NotFound("symbol", f"{name} is not known; `marketdata instruments add` it first")
        return int(row[0])

    def number_of_new(self, instrument: Instrument) -> int:
        """The number of an instrument; one that is not known yet is added, but not followed."""
        self._connection.execute(
            "insert into public.instruments (exchange, symbol, base, quote, active, calendar)"
            " values (%s, %s, %s, %s, false, %s) on conflict (exchange, symbol) do nothing",
            (*instrument.key, instrument.base, instrument.quote, instrument.calendar),
        )
        return self.number(instrument)

    def make_room(self, span: Span) -> None:
        """For candles of every timeframe that may be rolled up."""
        self._connection.execute("select internal.ensure_candle_partitions(%s, %s)", (span.start, span.end))

    def mark_empty(self, number: int, spans: Spans) -> None:
        """Nothing was traded or quoted then, says the exchange."""
        self._connection.execute(
            "select public.mark_empty_v1(%s::smallint, 1::smallint, %s::tstzmultirange)", (number, multirange(spans))
        )

    def record_missing(self, number: int, spans: Spans) -> None:
        """Put what could not be had on the gap ledger."""
        self._connection.execute(
            "select public.record_gaps_v2(%s::smallint, 1::smallint, %s::tstzmultirange, 'import', %s)",
            (number, multirange(spans), self._clock.now()),
        )

    def close(self) -> None:
        """Bring rollups and coverage up to date, and take off the ledger what is held by now."""
        give_up = time.monotonic() + DRAIN_SECONDS_MAX
        while (taken := self._value("select public.drain_dirty_v1()")) != 0 and time.monotonic() < give_up:
            if taken < 0:
                # Another drainer is at work on the same queue.
                time.sleep(0.2)
        self._connection.execute("select public.close_covered_gaps_v1(%s)", (self._clock.now(),))

    def _value(self, query: LiteralString) -> int:
        row = self._connection.execute(query).fetchone()
        assert row is not None, query
        return int(row[0])
